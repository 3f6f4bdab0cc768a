//! The bytes that scripts send: each follows from its place in the stream, so that none can be lost or exchanged unseen.

/// The byte at `at`.
fn byte(at: u64) -> u8 {
    // A prime, so that segments of usual sizes differ.
    u8::try_from(at % 251).unwrap_or_default()
}

/// `len` bytes from `at` on.
pub(crate) fn bytes(at: u64, len: usize) -> Vec<u8> {
    (at..).take(len).map(byte).collect()
}

/// What is wrong with `data`, which should be the bytes from `at` on.
pub(crate) fn fault(at: u64, data: &[u8]) -> Option<String> {
    let wrong = (at..).zip(data).find(|(at, seen)| byte(*at) != **seen)?;
    Some(format!(
        "byte {} of the stream is not what was sent there",
        wrong.0
    ))
}
