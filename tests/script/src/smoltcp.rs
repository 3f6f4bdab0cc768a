//! Runs scripts against smoltcp, as far as its sockets can be asked for what they call.

use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use crate::error::LoadError;
use crate::host::smoltcp::SmolHost;
use crate::load::load_versions;
use crate::play::play;
use crate::report::Failure;

/// What became of a script that was played against smoltcp.
#[derive(Debug)]
pub enum Tried {
    /// Every packet and every result was as the script says.
    Holds,
    /// The first thing that was not.
    Fails(Failure),
    /// What the script asks for and smoltcp's sockets do not have.
    Cannot(String),
    /// smoltcp panicked.
    Panics,
}

/// Plays the script in the file `path` against smoltcp, in virtual time: over IPv6 too, if it says `// ip: both`.
///
/// # Errors
///
/// The file cannot be read, or is no script.
pub fn run_smoltcp(path: &Path) -> Result<Vec<Tried>, LoadError> {
    let scripts = load_versions(path)?;
    let played = scripts.iter().map(|script| {
        let mut host = SmolHost::new(&script.settings);
        let played = panic::catch_unwind(AssertUnwindSafe(|| play(script, &mut host, false)));
        match (host.cannot, played) {
            (Some(what), _) => Tried::Cannot(what),
            (None, Err(_)) => Tried::Panics,
            (None, Ok(played)) => played.failure.map_or(Tried::Holds, Tried::Fails),
        }
    });
    Ok(played.collect())
}
