//! Numbered entries in pages: a table that grows by a page at a time and never moves what is in it, so that nobody waits
//! for the growth of a large one.

use slab::Slab;

/// Entries on a page.
const PAGE: usize = 1024;

/// A table whose entries keep their numbers; numbers of removed ones are used again.
#[derive(Debug)]
pub(super) struct Pages<T> {
    pages: Vec<Slab<T>>,
    /// Pages with room.
    open: Vec<u32>,
    len: usize,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Pages {
            pages: Vec::new(),
            open: Vec::new(),
            len: 0,
        }
    }
}

impl<T> Pages<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// No entry has this number or a higher one.
    pub(super) fn numbers(&self) -> u32 {
        let entries =
            |(page, entries): (usize, &Slab<T>)| page * PAGE + entries.capacity().min(PAGE);
        self.pages.iter().enumerate().next_back().map_or(0, entries) as u32
    }

    pub(super) fn get(&self, number: u32) -> Option<&T> {
        let (page, entry) = place(number);
        self.pages.get(page)?.get(entry)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        let (page, entry) = place(number);
        self.pages.get_mut(page)?.get_mut(entry)
    }

    /// Every entry with its number, in the order of numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.pages.iter().enumerate().flat_map(|(page, entries)| {
            let number = move |entry| (page * PAGE + entry) as u32;
            entries.iter().map(move |(entry, it)| (number(entry), it))
        })
    }

    /// Adds an entry and returns its number.
    pub(super) fn insert(&mut self, it: T) -> u32 {
        self.len += 1;
        if let Some(open) = self.open.last().copied()
            && let Some(page) = self.pages.get_mut(open as usize)
        {
            let entry = page.insert(it);
            if page.len() == PAGE {
                self.open.pop();
            }
            return (open as usize * PAGE + entry) as u32;
        }
        let page = self.pages.len();
        let mut entries = Slab::new();
        let entry = entries.insert(it);
        self.pages.push(entries);
        self.open.push(page as u32);
        (page * PAGE + entry) as u32
    }

    /// Takes an entry out. With the last one all memory goes but that of a page.
    pub(super) fn remove(&mut self, number: u32) -> Option<T> {
        let (page, entry) = place(number);
        let entries = self.pages.get_mut(page)?;
        let was_full = entries.len() == PAGE;
        let it = entries.try_remove(entry)?;
        self.len -= 1;
        if was_full {
            self.open.push(page as u32);
        }
        if self.len == 0 {
            self.pages.truncate(1);
            self.open.clear();
            self.open.push(0);
        }
        Some(it)
    }
}

fn place(number: u32) -> (usize, usize) {
    (number as usize / PAGE, number as usize % PAGE)
}

#[cfg(test)]
mod tests;
