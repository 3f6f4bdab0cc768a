//! Memory of C: pointers and lengths become slices, structures become values.
//!
//! Whatever can be seen to be wrong is an error here: null with a length, a length that no memory has. That a pointer which
//! is not null has as much memory behind it as was said is for the caller to see to, who is a program in C. So all that
//! takes a pointer here is unsafe, and is called in exported functions, which are unsafe too and pass that promise on; what
//! it gives back is good for the time of one such call, and safe to use.

use core::ffi::{CStr, c_char, c_void};
use core::slice;
use std::io::{IoSlice, IoSliceMut};

use libc::{msghdr, sockaddr, socklen_t};
use netstack_sockets::{Errno, SockAddr};

/// The most vectors of a message (`UIO_MAXIOV`).
const VECTORS: usize = 1024;
/// The longest name: `struct sockaddr_storage`.
const NAME_MOST: usize = 128;
/// The most bytes of control messages (`net.core.optmem_max`).
const CONTROL_MOST: usize = 128 << 10;

/// Bytes that C may read. None behind null with no length.
///
/// # Safety
///
/// `start` is null, or `len` bytes can be read there, and nobody writes to them meanwhile.
pub(crate) unsafe fn bytes<'a>(start: *const c_void, len: usize) -> Result<&'a [u8], Errno> {
    check(start, len)?;
    if len == 0 {
        return Ok(&[]);
    }
    // SAFETY: not null and no longer than memory can be; the rest is promised.
    Ok(unsafe { slice::from_raw_parts(start.cast(), len) })
}

/// Bytes that C may write.
///
/// # Safety
///
/// `start` is null, or `len` bytes can be written there, and nobody else uses them meanwhile.
pub(crate) unsafe fn bytes_mut<'a>(start: *mut c_void, len: usize) -> Result<&'a mut [u8], Errno> {
    check(start, len)?;
    if len == 0 {
        return Ok(&mut []);
    }
    // SAFETY: as in `bytes`.
    Ok(unsafe { slice::from_raw_parts_mut(start.cast(), len) })
}

/// A string that ends with a zero byte.
///
/// # Safety
///
/// `start` is null, or a string that ends is there.
pub(crate) unsafe fn text<'a>(start: *const c_char) -> Result<&'a str, Errno> {
    if start.is_null() {
        return Err(Errno::EFAULT);
    }
    // SAFETY: not null, and promised to end.
    let text = unsafe { CStr::from_ptr(start) };
    text.to_str().map_err(|_| Errno::EINVAL)
}

/// The bytes of a name.
///
/// # Safety
///
/// As for [`bytes`].
pub(crate) unsafe fn name<'a>(addr: *const sockaddr, len: socklen_t) -> Result<&'a [u8], Errno> {
    let len = length(len)?;
    if len > NAME_MOST {
        return Err(Errno::EINVAL);
    }
    // SAFETY: as promised.
    unsafe { bytes(addr.cast(), len) }
}

/// Where one value stands, or is to stand, wherever it is aligned. For structures of numbers and pointers, of which all
/// bits mean something.
#[derive(Clone, Copy)]
pub(crate) struct Place<T>(*mut T);

impl<T: Copy> Place<T> {
    /// # Safety
    ///
    /// `at` is null, or a value can be read and written there, for as long as this is used.
    pub(crate) unsafe fn new(at: *mut T) -> Place<T> {
        Place(at)
    }

    pub(crate) fn read(self) -> Result<T, Errno> {
        if self.0.is_null() {
            return Err(Errno::EFAULT);
        }
        // SAFETY: not null, and promised.
        Ok(unsafe { self.0.read_unaligned() })
    }

    pub(crate) fn write(self, value: T) -> Result<(), Errno> {
        if self.0.is_null() {
            return Err(Errno::EFAULT);
        }
        // SAFETY: not null, and promised.
        unsafe { self.0.write_unaligned(value) };
        Ok(())
    }
}

/// Values that stand one behind the other.
pub(crate) struct Row<T> {
    start: *mut T,
    count: usize,
}

impl<T: Copy> Row<T> {
    /// # Safety
    ///
    /// `start` is null, or `count` values can be read and written there, for as long as this is used.
    pub(crate) unsafe fn new(start: *mut T, count: usize) -> Result<Row<T>, Errno> {
        check(start.cast(), count.saturating_mul(size_of::<T>()))?;
        Ok(Row { start, count })
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn read(&self) -> Vec<T> {
        let read = |at| {
            // SAFETY: within what was promised, and not null where there is any.
            unsafe { self.start.add(at).read_unaligned() }
        };
        (0..self.count).map(read).collect()
    }

    /// Writes as many of `values` as there is room for.
    pub(crate) fn write(&self, values: &[T]) {
        for (at, value) in values.iter().take(self.count).enumerate() {
            // SAFETY: within what was promised, and not null where there is any.
            unsafe { self.start.add(at).write_unaligned(*value) };
        }
    }
}

/// Room for a value of which a length tells how long it is, and then how long it became.
///
/// # Safety
///
/// `len` is null or a length, and `value` is null or has as many bytes that can be written, of which no more than `most`
/// are used; nobody else uses either meanwhile.
pub(crate) unsafe fn sized<'a>(
    value: *mut c_void,
    len: *mut socklen_t,
    most: usize,
) -> Result<(&'a mut [u8], Place<socklen_t>), Errno> {
    // SAFETY: as promised.
    let len = unsafe { Place::new(len) };
    let room = length(len.read()?)?.min(most);
    // SAFETY: as promised.
    let room = unsafe { bytes_mut(value, room)? };
    Ok((room, len))
}

/// Room for a name.
pub(crate) struct NameRoom<'a>(&'a mut [u8], Place<socklen_t>);

impl NameRoom<'_> {
    /// # Safety
    ///
    /// As for [`sized`].
    pub(crate) unsafe fn new(addr: *mut sockaddr, len: *mut socklen_t) -> Result<Self, Errno> {
        // SAFETY: as promised.
        unsafe { sized(addr.cast(), len, NAME_MOST) }.map(|(room, len)| NameRoom(room, len))
    }

    /// As [`new`](Self::new); where `addr` is null, nobody wants the name.
    ///
    /// # Safety
    ///
    /// As for [`sized`].
    pub(crate) unsafe fn if_wanted(
        addr: *mut sockaddr,
        len: *mut socklen_t,
    ) -> Result<Option<Self>, Errno> {
        if addr.is_null() {
            return Ok(None);
        }
        // SAFETY: as promised.
        unsafe { NameRoom::new(addr, len) }.map(Some)
    }

    /// Writes as much of a name as there is room for, and its length.
    pub(crate) fn write(self, name: &SockAddr) -> Result<(), Errno> {
        copy(name, self.0);
        self.1.write(name.len() as socklen_t)
    }
}

/// A message to be sent.
pub(crate) struct Outgoing<'a> {
    pub(crate) name: Option<&'a [u8]>,
    pub(crate) control: &'a [u8],
    pub(crate) vectors: Vec<IoSlice<'a>>,
}

impl Outgoing<'_> {
    /// # Safety
    ///
    /// `msg` is null or a message, and what it points to can be read, as it says, while this is used.
    pub(crate) unsafe fn new(msg: *const msghdr) -> Result<Self, Errno> {
        // SAFETY: only read, as promised.
        let message = unsafe { Place::new(msg.cast_mut()) }.read()?;
        let name = match name_len(&message)? {
            0 => None,
            // SAFETY: as promised.
            len => Some(unsafe { bytes(message.msg_name, len)? }),
        };
        // SAFETY: as promised.
        let control = unsafe { bytes(message.msg_control, control_len(&message)?)? };
        let slice = |one: &libc::iovec| {
            // SAFETY: as promised.
            let bytes = unsafe { bytes(one.iov_base, one.iov_len)? };
            Ok(IoSlice::new(bytes))
        };
        // SAFETY: as promised.
        let vectors = unsafe { vectors(&message)? };
        Ok(Outgoing {
            name,
            control,
            vectors: vectors.iter().map(slice).collect::<Result<_, Errno>>()?,
        })
    }
}

/// A message to be received.
pub(crate) struct Incoming<'a> {
    place: Place<msghdr>,
    message: msghdr,
    name: Option<&'a mut [u8]>,
    control: &'a mut [u8],
    pub(crate) vectors: Vec<IoSliceMut<'a>>,
}

impl Incoming<'_> {
    /// # Safety
    ///
    /// `msg` is null or a message, and both it and what it points to can be written, as it says, and are used by nobody
    /// else, while this is used.
    pub(crate) unsafe fn new(msg: *mut msghdr) -> Result<Self, Errno> {
        // SAFETY: as promised.
        let place = unsafe { Place::new(msg) };
        let message = place.read()?;
        let room = name_len(&message)?;
        // There is never more to tell than this.
        let control = control_room(&message).min(CONTROL_MOST);
        // SAFETY: as promised.
        let control = unsafe { bytes_mut(message.msg_control, control)? };
        let slice = |one: &libc::iovec| {
            // SAFETY: as promised.
            let bytes = unsafe { bytes_mut(one.iov_base, one.iov_len)? };
            Ok(IoSliceMut::new(bytes))
        };
        // SAFETY: as promised.
        let vectors = unsafe { vectors(&message)? };
        let vectors = vectors.iter().map(slice).collect::<Result<_, Errno>>()?;
        let name = match message.msg_name.is_null() {
            true => None,
            // SAFETY: as promised.
            false => Some(unsafe { bytes_mut(message.msg_name, room)? }),
        };
        Ok(Incoming {
            place,
            message,
            name,
            control,
            vectors,
        })
    }

    /// Bytes of control messages that there is room for.
    pub(crate) fn control_room(&self) -> usize {
        self.control.len()
    }

    /// Writes what was received beside the bytes, as much as there is room for.
    pub(crate) fn write(self, name: &[u8], control: &[u8], flags: i32) -> Result<(), Errno> {
        let mut message = self.message;
        if let Some(room) = self.name {
            copy(name, room);
            message.msg_namelen = name.len() as socklen_t;
        }
        copy(control, self.control);
        message.msg_controllen = control.len() as _;
        message.msg_flags = flags;
        self.place.write(message)
    }
}

/// # Safety
///
/// The message's vectors, but not what they point to, can be read.
unsafe fn vectors(message: &msghdr) -> Result<Vec<libc::iovec>, Errno> {
    // A size that differs between C libraries.
    #[allow(clippy::unnecessary_cast)]
    let count = message.msg_iovlen as usize;
    if count > VECTORS {
        return Err(Errno::EMSGSIZE);
    }
    // SAFETY: only read, as promised.
    let all = unsafe { Row::new(message.msg_iov, count)? }.read();
    let total = all
        .iter()
        .try_fold(0usize, |total, one| total.checked_add(one.iov_len));
    match total {
        Some(total) if isize::try_from(total).is_ok() => Ok(all),
        _ => Err(Errno::EINVAL),
    }
}

/// Bytes of a message's name, as many as a name may have. Where there is none, nobody looks at its length.
fn name_len(message: &msghdr) -> Result<usize, Errno> {
    match message.msg_name.is_null() {
        true => Ok(0),
        false => Ok(length(message.msg_namelen)?.min(NAME_MOST)),
    }
}

// A size that differs between C libraries.
#[allow(clippy::unnecessary_cast)]
fn control_room(message: &msghdr) -> usize {
    message.msg_controllen as usize
}

/// Bytes of control messages that are to be sent.
fn control_len(message: &msghdr) -> Result<usize, Errno> {
    match control_room(message) {
        len if len > CONTROL_MOST => Err(Errno::ENOBUFS),
        len => Ok(len),
    }
}

/// A length that C would take for negative is none.
pub(crate) fn length(len: socklen_t) -> Result<usize, Errno> {
    usize::try_from(len as i32).map_err(|_| Errno::EINVAL)
}

fn check(start: *const c_void, len: usize) -> Result<(), Errno> {
    let end = (start as usize).checked_add(len);
    if isize::try_from(len).is_err() || end.is_none() || start.is_null() && len > 0 {
        return Err(Errno::EFAULT);
    }
    Ok(())
}

/// Copies as much as both have.
fn copy(from: &[u8], into: &mut [u8]) {
    let len = from.len().min(into.len());
    if let (Some(from), Some(into)) = (from.get(..len), into.get_mut(..len)) {
        into.copy_from_slice(from);
    }
}
