//! Records of bytes, side by side with those of their size. What is freed is used again by the next one of that size, so
//! that rows which change all the time leave nothing behind.

/// Sizes go up by so many bytes.
const STEP: usize = 4;
/// So many steps may be left unused.
const SLACK: usize = 4;
/// Longer records have a place of their own.
const CLASSES: usize = 127;
/// So many bytes are kept together.
const BLOCK: usize = 16 * 1024;
/// The lowest bits of an address say which class it is of.
const CLASS_BITS: u32 = 7;
/// The class of those that have a place of their own.
const ALONE: u32 = CLASSES as u32;

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address(u32);

/// Records by their addresses.
#[derive(Clone, Debug)]
pub(crate) struct Slab {
    classes: Vec<Class>,
    alone: Vec<Box<[u8]>>,
    alone_free: Vec<u32>,
}

#[derive(Clone, Debug, Default)]
struct Class {
    blocks: Vec<Box<[u8]>>,
    used: u32,
    free: Vec<u32>,
}

/// How long the records of a class are.
fn size(class: usize) -> usize {
    (class + 1) * STEP
}

/// Which class a record of this length is of.
fn class_of(length: usize) -> usize {
    length.saturating_sub(1) / STEP
}

impl Default for Slab {
    fn default() -> Self {
        Self { classes: vec![Class::default(); CLASSES], alone: Vec::new(), alone_free: Vec::new() }
    }
}

impl Class {
    /// The place of a record: which block, and where in it.
    fn place(number: u32, size: usize) -> (usize, std::ops::Range<usize>) {
        let in_block = BLOCK / size;
        let at = number as usize % in_block * size;
        (number as usize / in_block, at..at + size)
    }

    fn take(&mut self, size: usize) -> u32 {
        if let Some(number) = self.free.pop() {
            return number;
        }
        let number = self.used;
        self.used += 1;
        if Self::place(number, size).0 == self.blocks.len() {
            self.blocks.push(vec![0; BLOCK].into_boxed_slice());
        }
        number
    }
}

impl Slab {
    /// Keeps a record. What is read back may be longer: records say themselves where they end.
    pub(crate) fn put(&mut self, record: &[u8]) -> Address {
        let class = class_of(record.len());
        if class >= CLASSES {
            let number = match self.alone_free.pop() {
                Some(number) => number,
                None => {
                    self.alone.push(Box::default());
                    // An overflow stops: nothing is ever taken for another record.
                    self.alone.len() as u32 - 1
                }
            };
            self.alone[number as usize] = record.into();
            return Self::address(number, ALONE);
        }
        let number = self.classes[class].take(size(class));
        let (block, range) = Class::place(number, size(class));
        self.classes[class].blocks[block][range][..record.len()].copy_from_slice(record);
        Self::address(number, class as u32)
    }

    /// Keeps a record in place of another: where that one is, if it fits and leaves little room behind it. A row that
    /// becomes a little shorter, as an order that is paid, would else leave a hole for another of the old length.
    pub(crate) fn replace(&mut self, address: Address, record: &[u8]) -> Address {
        let (class, needed) = (address.class() as usize, class_of(record.len()));
        if class < CLASSES && (needed..=needed + SLACK).contains(&class) {
            let (block, range) = Class::place(address.number(), size(class));
            self.classes[class].blocks[block][range][..record.len()].copy_from_slice(record);
            return address;
        }
        self.free(address);
        self.put(record)
    }

    fn free(&mut self, address: Address) {
        if address.class() == ALONE {
            self.alone[address.number() as usize] = Box::default();
            self.alone_free.push(address.number());
        } else {
            self.classes[address.class() as usize].free.push(address.number());
        }
    }

    pub(crate) fn get(&self, address: Address) -> &[u8] {
        if address.class() == ALONE {
            return &self.alone[address.number() as usize];
        }
        let class = address.class() as usize;
        let (block, range) = Class::place(address.number(), size(class));
        &self.classes[class].blocks[block][range]
    }

    /// What it takes of memory, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let class = |class: &Class| {
            class.blocks.len() * (BLOCK + size_of::<Box<[u8]>>()) + class.free.capacity() * size_of::<u32>()
        };
        let alone = self.alone.iter().map(|record| record.len() + size_of::<Box<[u8]>>());
        self.classes.iter().map(class).sum::<usize>() + alone.sum::<usize>()
    }

    /// 2^25 records of each size: some hundred million orders. One more stops.
    fn address(number: u32, class: u32) -> Address {
        assert!(number < 1 << (u32::BITS - CLASS_BITS), "more rows than can be addressed");
        Address(number << CLASS_BITS | class)
    }
}

impl Address {
    fn class(self) -> u32 {
        self.0 & ((1 << CLASS_BITS) - 1)
    }

    fn number(self) -> u32 {
        self.0 >> CLASS_BITS
    }
}
