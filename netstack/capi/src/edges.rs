//! Memory of C: pointers and lengths become slices, structures become values.
//!
//! Whatever can be seen to be wrong is an error here: null with a length, a length that no memory has. That a pointer which
//! is not null has as much memory behind it as was said is for the caller to see to, who is a program in C: the functions
//! of this file are called with arguments of exported functions and nothing else, for the time of one such call.

use core::ffi::{CStr, c_char, c_void};
use core::slice;
use std::io::{IoSlice, IoSliceMut};

use netstack_sockets::Errno;

/// The most vectors of a message (`UIO_MAXIOV`).
const VECTORS: usize = 1024;

/// Bytes that C may read. None behind null with no length.
pub(crate) fn bytes<'a>(start: *const c_void, len: usize) -> Result<&'a [u8], Errno> {
    check(start, len)?;
    if len == 0 {
        return Ok(&[]);
    }
    // SAFETY: not null and no longer than memory can be; C vouches for the rest, for the time of its call.
    Ok(unsafe { slice::from_raw_parts(start.cast(), len) })
}

/// Bytes that C may write.
pub(crate) fn bytes_mut<'a>(start: *mut c_void, len: usize) -> Result<&'a mut [u8], Errno> {
    check(start, len)?;
    if len == 0 {
        return Ok(&mut []);
    }
    // SAFETY: as in `bytes`, and C gives it to nobody else meanwhile.
    Ok(unsafe { slice::from_raw_parts_mut(start.cast(), len) })
}

/// A string that ends with a zero byte.
pub(crate) fn text<'a>(start: *const c_char) -> Result<&'a str, Errno> {
    if start.is_null() {
        return Err(Errno::EFAULT);
    }
    // SAFETY: not null, and C ends its strings.
    let text = unsafe { CStr::from_ptr(start) };
    text.to_str().map_err(|_| Errno::EINVAL)
}

/// A value, wherever it is aligned. For structures of numbers and pointers, of which all bits mean something.
pub(crate) fn read<T: Copy>(from: *const T) -> Result<T, Errno> {
    if from.is_null() {
        return Err(Errno::EFAULT);
    }
    // SAFETY: not null; C has such a structure there.
    Ok(unsafe { from.read_unaligned() })
}

/// Writes a value.
pub(crate) fn write<T: Copy>(into: *mut T, value: T) -> Result<(), Errno> {
    if into.is_null() {
        return Err(Errno::EFAULT);
    }
    // SAFETY: not null; C has room for such a structure there.
    unsafe { into.write_unaligned(value) };
    Ok(())
}

/// Values that stand one behind the other.
pub(crate) fn read_all<T: Copy>(from: *const T, count: usize) -> Result<Vec<T>, Errno> {
    check(from.cast(), count.saturating_mul(size_of::<T>()))?;
    // SAFETY: within what C vouches for: as many structures as it said.
    (0..count).map(|at| read(unsafe { from.add(at) })).collect()
}

/// Writes values one behind the other.
pub(crate) fn write_all<T: Copy>(into: *mut T, values: &[T]) -> Result<(), Errno> {
    check(into.cast(), size_of_val(values))?;
    for (at, value) in values.iter().enumerate() {
        // SAFETY: within what C vouches for: room for as many structures as it asked for.
        write(unsafe { into.add(at) }, *value)?;
    }
    Ok(())
}

/// The vectors of a message to be sent.
pub(crate) fn vectors<'a>(message: &libc::msghdr) -> Result<Vec<IoSlice<'a>>, Errno> {
    let all = vectors_of(message)?;
    let slices = all
        .iter()
        .map(|one| Ok(IoSlice::new(bytes(one.iov_base, one.iov_len)?)));
    slices.collect()
}

/// The vectors that a message is received into.
pub(crate) fn vectors_mut<'a>(message: &libc::msghdr) -> Result<Vec<IoSliceMut<'a>>, Errno> {
    let all = vectors_of(message)?;
    let slices = all
        .iter()
        .map(|one| Ok(IoSliceMut::new(bytes_mut(one.iov_base, one.iov_len)?)));
    slices.collect()
}

fn vectors_of(message: &libc::msghdr) -> Result<Vec<libc::iovec>, Errno> {
    // A size that differs between C libraries.
    #[allow(clippy::unnecessary_cast)]
    let count = message.msg_iovlen as usize;
    if count > VECTORS {
        return Err(Errno::EMSGSIZE);
    }
    let all = read_all(message.msg_iov.cast_const(), count)?;
    let total = all
        .iter()
        .try_fold(0usize, |total, one| total.checked_add(one.iov_len));
    match total {
        Some(total) if isize::try_from(total).is_ok() => Ok(all),
        _ => Err(Errno::EINVAL),
    }
}

fn check(start: *const c_void, len: usize) -> Result<(), Errno> {
    let end = (start as usize).checked_add(len);
    if isize::try_from(len).is_err() || end.is_none() || start.is_null() && len > 0 {
        return Err(Errno::EFAULT);
    }
    Ok(())
}
