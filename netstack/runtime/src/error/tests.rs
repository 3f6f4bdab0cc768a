use std::io::ErrorKind;

use netstack_core::{AcceptError, BindError, ConnectionError, RecvError, SendError, SocketError};

use super::IntoIo as _;

#[test]
fn kinds_are_those_of_std() {
    assert_eq!(
        SendError::from(ConnectionError::Reset).into_io().kind(),
        ErrorKind::ConnectionReset
    );
    assert_eq!(
        RecvError::from(ConnectionError::Refused).into_io().kind(),
        ErrorKind::ConnectionRefused
    );
    assert_eq!(SendError::Closed.into_io().kind(), ErrorKind::BrokenPipe);
    assert_eq!(
        AcceptError::from(SocketError::BadHandle).into_io().kind(),
        ErrorKind::NotConnected
    );
    assert_eq!(BindError::InUse.into_io().kind(), ErrorKind::AddrInUse);
}

#[test]
fn an_error_keeps_its_text() {
    assert_eq!(
        BindError::NotAvailable.into_io().to_string(),
        BindError::NotAvailable.to_string()
    );
}

#[test]
fn waiting_allocates_no_error() {
    let error = RecvError::WouldBlock.into_io();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert!(error.get_ref().is_none());
}
