use super::{File, Files, Object};
use crate::Errno;
use crate::epoll::Epoll;

fn file() -> File {
    File::new(Object::Epoll(Epoll::default()), false)
}

#[test]
fn the_lowest_free_number_is_given() {
    let mut files = Files::new(3, 4);
    let given: Vec<_> = (0..4)
        .map(|_| files.insert(file()).expect("room"))
        .collect();
    assert_eq!(given, [3, 4, 5, 6]);
    assert_eq!(files.insert(file()), Err(Errno::EMFILE));
    files.remove(5).expect("open");
    files.remove(4).expect("open");
    assert_eq!(files.remove(4).err(), Some(Errno::EBADF));
    assert_eq!(files.insert(file()), Ok(4));
    assert_eq!(files.insert(file()), Ok(5));
    assert_eq!(files.all(), [3, 4, 5, 6]);
    for wild in [-1, i32::MIN, 0, 2, 7, i32::MAX] {
        assert_eq!(files.get(wild).err(), Some(Errno::EBADF));
        assert_eq!(files.remove(wild).err(), Some(Errno::EBADF));
    }
}
