//! One netlink conversation on a thread of its own.

use rtnetlink::Handle;
use tokio::runtime::Builder;

use super::namespace::on_thread;
use super::{NetlinkError, Netns};

/// Opens a netlink socket in `netns` (or the calling thread's namespace) and lets `talk` use it.
pub(super) fn converse<T, F>(netns: Option<&Netns>, talk: F) -> Result<T, NetlinkError>
where
    T: Send,
    F: AsyncFnOnce(Handle) -> Result<T, NetlinkError> + Send,
{
    let session = move || {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(NetlinkError::Setup)?;
        runtime.block_on(async move {
            let (connection, handle, _unsolicited) =
                rtnetlink::new_connection().map_err(NetlinkError::Setup)?;
            let connection = tokio::spawn(connection);
            let result = talk(handle).await;
            connection.abort();
            result
        })
    };
    match netns {
        Some(netns) => netns.run(session)?,
        None => on_thread(session)?,
    }
}
