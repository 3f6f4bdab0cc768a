//! A map that forgets the oldest entry when it is full.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Holds at most a fixed number of entries, in the order in which their keys came.
pub(crate) struct Bounded<K, V> {
    map: HashMap<K, V>,
    order: VecDeque<K>,
    limit: usize,
}

impl<K: Copy + Eq + Hash, V> Bounded<K, V> {
    pub(crate) fn new(limit: usize) -> Self {
        Bounded {
            map: HashMap::new(),
            order: VecDeque::new(),
            limit,
        }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.map.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.map.get_mut(key)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Puts `value` in the place of `key`; gives the entry that had to go for it, if one had to.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<(K, V)> {
        if self.map.insert(key, value).is_some() {
            return None;
        }
        self.order.push_back(key);
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
        self.map.get_mut(&key)
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        // The key stays in the order until its turn comes; a bound on that is kept here.
        let value = self.map.remove(key)?;
        if self.order.len() > 2 * self.limit {
            self.order.retain(|key| self.map.contains_key(key));
        }
        Some(value)
    }

    /// Takes the oldest entry out.
    pub(crate) fn pop(&mut self) -> Option<(K, V)> {
        loop {
            let key = self.order.pop_front()?;
            if let Some(value) = self.map.remove(&key) {
                return Some((key, value));
            }
        }
    }

    /// Takes the oldest entry out when `is_due` says so.
    pub(crate) fn pop_if(&mut self, is_due: impl FnOnce(&V) -> bool) -> Option<(K, V)> {
        loop {
            let key = *self.order.front()?;
            match self.map.get(&key) {
                None => {
                    self.order.pop_front();
                }
                Some(value) => {
                    return if is_due(value) { self.pop() } else { None };
                }
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.map.iter()
    }
}
