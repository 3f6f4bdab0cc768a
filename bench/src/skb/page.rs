//! Pages: memory with a reference count of its own, kept apart from it (`struct page`).

use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The count of a page (or of a compound page: one count for all of it) and where its memory is. As large as the
/// kernel's, so that no two share a cache line.
#[repr(align(64))]
pub struct Page {
    refs: AtomicU32,
    memory: Box<[u8]>,
}

/// Pages that a thread keeps for each size.
const SPARE: usize = 2048;

/// Sizes are powers of two up to this one.
const ORDERS: usize = 17;

/// The lists of one CPU (`struct per_cpu_pages`).
struct PerCpu {
    locked: AtomicBool,
    // Boxed, because it is the boxes that move.
    #[allow(clippy::vec_box)]
    lists: RefCell<[Vec<Box<Page>>; ORDERS]>,
    /// Pages of this thread that exist, in use or not.
    made: Cell<usize>,
}

thread_local! {
    static CPU: PerCpu = const {
        PerCpu {
            locked: AtomicBool::new(false),
            lists: RefCell::new([const { Vec::new() }; ORDERS]),
            made: Cell::new(0),
        }
    };
}

impl Page {
    /// A page of `size` bytes (rounded up to a power of two, at most 64 KiB), which begins with `data`, and one
    /// reference on it. The rest is what an earlier use left.
    pub(crate) fn alloc(size: usize, data: &[u8]) -> NonNull<Page> {
        let order = order(size);
        let spare = CPU.with(|cpu| cpu.with_list(order, Vec::pop));
        let mut page = spare.unwrap_or_else(|| {
            CPU.with(|cpu| cpu.made.set(cpu.made.get() + 1));
            Box::new(Page {
                refs: AtomicU32::new(0),
                memory: vec![0; 1 << order].into_boxed_slice(),
            })
        });
        page.memory[..data.len()].copy_from_slice(data);
        *page.refs.get_mut() = 1;
        NonNull::from(Box::leak(page))
    }

    /// The memory.
    #[inline]
    pub(crate) fn memory(&self) -> &[u8] {
        &self.memory
    }

    /// Another reference (`get_page`).
    #[inline]
    pub(crate) fn get(&self) {
        self.refs.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives a reference up (`put_page`), and with the last one the page.
    ///
    /// # Safety
    ///
    /// The caller has a reference, and uses the page no more.
    #[inline]
    pub(crate) unsafe fn put(page: NonNull<Page>) {
        // SAFETY: the caller's reference keeps the page.
        if unsafe { page.as_ref() }.refs.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: leaked by `alloc`; that was the last reference.
            free(unsafe { Box::from_raw(page.as_ptr()) });
        }
    }
}

/// `free_unref_page`: onto the CPU's list.
fn free(page: Box<Page>) {
    let order = order(page.memory.len());
    CPU.with(|cpu| {
        let surplus = cpu.with_list(order, |list| {
            if list.len() < SPARE {
                list.push(page);
                return None;
            }
            Some(page)
        });
        if surplus.is_some() {
            cpu.made.set(cpu.made.get() - 1);
        }
    });
}

impl PerCpu {
    #[inline]
    #[allow(clippy::vec_box)]
    fn with_list<R>(&self, order: usize, f: impl FnOnce(&mut Vec<Box<Page>>) -> R) -> R {
        // `pcp_spin_trylock`: never contended, as the list is this thread's.
        let _ = self
            .locked
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed);
        let result = f(&mut self.lists.borrow_mut()[order]);
        self.locked.store(false, Ordering::Release);
        result
    }
}

fn order(size: usize) -> usize {
    (size.next_power_of_two().trailing_zeros() as usize).min(ORDERS - 1)
}

/// Pages that this thread made and that somebody still has a reference on. Exact as long as pages are freed by the
/// thread that made them.
pub fn live_pages() -> usize {
    CPU.with(|cpu| {
        let idle: usize = cpu.lists.borrow().iter().map(Vec::len).sum();
        cpu.made.get() - idle
    })
}
