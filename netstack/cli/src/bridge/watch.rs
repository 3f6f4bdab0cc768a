//! What is said on standard error while a bridge runs.

use std::io;

use netstack::bridge::BridgeReport;

use super::side::Tail;
use crate::failure::Failure;
use crate::output;

/// Looks at a bridge, and says once what is wrong with each side.
pub(super) struct Watch {
    names: [String; 2],
    said: [Said; 2],
}

/// What was said of a side.
#[derive(Default)]
struct Said {
    error: Option<String>,
    is_size: bool,
    is_capture: bool,
}

impl Watch {
    pub(super) fn new(names: [String; 2]) -> Watch {
        Watch {
            names,
            said: Default::default(),
        }
    }

    /// Says what is new.
    ///
    /// # Errors
    /// A device is gone for good, which is the end.
    pub(super) fn look(&mut self, report: &BridgeReport, tails: &[Tail; 2]) -> Result<(), Failure> {
        let sides = self.names.iter().zip(&mut self.said);
        for ((name, said), (side, tail)) in sides.zip(report.interfaces.iter().zip(tails)) {
            if let Some(error) = &side.error {
                let sentence = error.to_string();
                if error.kind() == io::ErrorKind::NotConnected {
                    return Err(Failure::new(sentence));
                }
                if said.error.as_ref() != Some(&sentence) {
                    output::complain(&format!("{name}: {sentence}"));
                    said.error = Some(sentence);
                }
            }
            if !said.is_size && side.device.rx_too_big > 0 {
                said.is_size = true;
                output::complain(&format!(
                    "{name}: the kernel sends packets larger than the MTU that the device had at the start, which are \
                     dropped (rx_too_big); set its MTU back, or start the command again"
                ));
            }
            if !said.is_capture && tail.has_lost_capture() {
                said.is_capture = true;
                output::complain(&format!(
                    "{name}: the capture cannot be written any more; the bridge goes on without it"
                ));
            }
        }
        Ok(())
    }
}
