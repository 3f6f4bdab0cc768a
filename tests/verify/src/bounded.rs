//! A map that forgets the oldest entry when it is full.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Holds at most a fixed number of entries, in the order in which their keys came.
pub(crate) struct Bounded<K, V> {
    map: HashMap<K, Entry<V>>,
    /// The keys as they came, with the entries' numbers. What was taken out stays until its turn comes.
    order: VecDeque<(u64, K)>,
    limit: usize,
    next: u64,
}

struct Entry<V> {
    number: u64,
    value: V,
}

impl<K: Copy + Eq + Hash, V> Bounded<K, V> {
    pub(crate) fn new(limit: usize) -> Self {
        Bounded {
            map: HashMap::new(),
            order: VecDeque::new(),
            limit,
            next: 0,
        }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.map.get(key).map(|entry| &entry.value)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.map.get_mut(key).map(|entry| &mut entry.value)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Puts `value` in the place of `key`; gives the entry that had to go for it, if one had to.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<(K, V)> {
        if let Some(there) = self.get_mut(&key) {
            *there = value;
            return None;
        }
        if self.order.len() > 2 * self.limit {
            let map = &self.map;
            self.order
                .retain(|(number, key)| map.get(key).is_some_and(|entry| entry.number == *number));
        }
        let number = self.next;
        self.next += 1;
        self.map.insert(key, Entry { number, value });
        self.order.push_back((number, key));
        if self.map.len() <= self.limit {
            return None;
        }
        self.pop()
    }

    /// What is kept for `key`, made by `new` when there is nothing.
    pub(crate) fn entry(&mut self, key: K, new: impl FnOnce() -> V) -> Option<&mut V> {
        if !self.map.contains_key(&key) {
            self.insert(key, new());
        }
        self.get_mut(&key)
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.map.remove(key).map(|entry| entry.value)
    }

    /// Takes the oldest entry out.
    pub(crate) fn pop(&mut self) -> Option<(K, V)> {
        self.pop_if(|_| true)
    }

    /// Takes the oldest entry out when `is_due` says so.
    pub(crate) fn pop_if(&mut self, is_due: impl FnOnce(&V) -> bool) -> Option<(K, V)> {
        loop {
            let (number, key) = *self.order.front()?;
            match self.map.get(&key) {
                Some(entry) if entry.number == number => {
                    if !is_due(&entry.value) {
                        return None;
                    }
                    self.order.pop_front();
                    return self.map.remove(&key).map(|entry| (key, entry.value));
                }
                _ => self.order.pop_front(),
            };
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.map.iter().map(|(key, entry)| (key, &entry.value))
    }
}

#[cfg(test)]
mod tests;
