//! A list that grows without being copied: what is in it never moves, and nothing is kept in reserve but for one chunk.

/// So many items are kept together.
const CHUNK: usize = 1_024;

/// Items by the number that they were given.
#[derive(Clone, Debug)]
pub(crate) struct Chunks<T> {
    chunks: Vec<Vec<T>>,
    len: u32,
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<T> Chunks<T> {
    /// Adds an item, and gives its number.
    pub(crate) fn push(&mut self, item: T) -> u32 {
        let number = self.len;
        self.len += 1;
        match self.chunks.last_mut().filter(|chunk| chunk.len() < CHUNK) {
            Some(chunk) => chunk.push(item),
            None => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(item);
                self.chunks.push(chunk);
            }
        }
        number
    }

    pub(crate) fn get(&self, number: u32) -> &T {
        &self.chunks[number as usize / CHUNK][number as usize % CHUNK]
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> &mut T {
        &mut self.chunks[number as usize / CHUNK][number as usize % CHUNK]
    }

    /// The numbers of all of them.
    pub(crate) fn numbers(&self) -> std::ops::Range<u32> {
        0..self.len
    }

    /// What it takes of memory, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.chunks.len() * (CHUNK * size_of::<T>() + size_of::<Vec<T>>())
    }
}
