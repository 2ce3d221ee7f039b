//! PURE. What a log that was left behind holds beyond its first bad page.
//!
//! SQLite reads the log up to the first page whose checksum is wrong and takes that for its end, without a word. After
//! a power cut that is right: what follows was on its way and nobody was told of it. If somebody has damaged the file,
//! it is what was lost. Which of them it was cannot be seen; that there were commits behind the bad page can.

/// The head of the log, and of each page in it, in bytes.
const HEAD: usize = 32;
const PAGE_HEAD: usize = 24;

/// The first four bytes, by the order of bytes in which checksums are made.
const MAGIC_LITTLE: u32 = 0x377f_0682;
const MAGIC_BIG: u32 = 0x377f_0683;

/// A log with commits that are not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Torn {
    /// Pages that are read.
    pub(super) pages_read: usize,
    /// Commits behind the first bad page, or in it.
    pub(super) commits_left: usize,
}

/// Looks through a log; `None` if all commits in it are read.
pub(super) fn examine(log: &[u8]) -> Option<Torn> {
    let (head, pages) = log.split_at_checked(HEAD)?;
    let page_size = number(head, 8) as usize;
    let is_power = page_size.is_power_of_two() && (512..=65_536).contains(&page_size);
    let sum = Order::of(head).map(|order| (order, order.sum((0, 0), &head[..24])));
    let (order, mut sum) = match sum {
        Some((order, sum)) if is_power && sum == (number(head, 24), number(head, 28)) => {
            (order, sum)
        }
        // With a bad head nothing is read.
        _ => {
            let is_torn = !pages.is_empty();
            return is_torn.then_some(Torn {
                pages_read: 0,
                commits_left: 1,
            });
        }
    };
    let mut torn = Torn {
        pages_read: 0,
        commits_left: 0,
    };
    let mut is_whole = true;
    for page in pages.chunks_exact(PAGE_HEAD + page_size) {
        if page[8..16] != head[16..24] {
            // From before the log began anew, or itself damaged.
            is_whole = false;
            continue;
        }
        if is_whole {
            sum = order.sum(order.sum(sum, &page[..8]), &page[PAGE_HEAD..]);
            is_whole = sum == (number(page, 16), number(page, 20));
        }
        let is_commit = number(page, 4) != 0;
        torn.pages_read += usize::from(is_whole);
        torn.commits_left += usize::from(!is_whole && is_commit);
    }
    (torn.commits_left > 0).then_some(torn)
}

fn number(bytes: &[u8], at: usize) -> u32 {
    let four = bytes[at..].first_chunk().expect("the head was measured");
    u32::from_be_bytes(*four)
}

/// In which order the bytes of the words stand that a checksum adds.
#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn of(head: &[u8]) -> Option<Order> {
        match number(head, 0) {
            MAGIC_LITTLE => Some(Order::Little),
            MAGIC_BIG => Some(Order::Big),
            _ => None,
        }
    }

    /// SQLite's checksum of the log, from where it stands.
    fn sum(self, (mut a, mut b): (u32, u32), bytes: &[u8]) -> (u32, u32) {
        let word = |four: [u8; 4]| match self {
            Order::Little => u32::from_le_bytes(four),
            Order::Big => u32::from_be_bytes(four),
        };
        let (pairs, _) = bytes.as_chunks::<8>();
        for [a0, a1, a2, a3, b0, b1, b2, b3] in pairs {
            a = a.wrapping_add(word([*a0, *a1, *a2, *a3])).wrapping_add(b);
            b = b.wrapping_add(word([*b0, *b1, *b2, *b3])).wrapping_add(a);
        }
        (a, b)
    }
}
