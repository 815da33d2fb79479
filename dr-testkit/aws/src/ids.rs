//! Names that AWS makes up, from a seed.

/// A stream of names: equal seeds give equal names.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    state: u64,
}

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number (SplitMix64).
    pub(crate) fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.number() % end }
    }

    /// Letters and digits.
    pub(crate) fn word(&mut self, prefix: &str, length: usize, alphabet: &[u8]) -> String {
        let mut word = prefix.to_owned();
        for _ in 0..length {
            let index = usize::try_from(self.below(alphabet.len() as u64)).unwrap_or_default();
            word.push(char::from(alphabet.get(index).copied().unwrap_or(b'0')));
        }
        word
    }

    /// Upper-case letters and digits, as Route 53 and temporary keys have them.
    pub(crate) fn upper(&mut self, prefix: &str, length: usize) -> String {
        self.word(prefix, length, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
    }

    /// Lower-case letters and digits.
    pub(crate) fn lower(&mut self, prefix: &str, length: usize) -> String {
        self.word(prefix, length, b"abcdefghijklmnopqrstuvwxyz0123456789")
    }

    /// A UUID.
    pub(crate) fn uuid(&mut self) -> String {
        let (a, b) = (self.number(), self.number());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            0x8000 | ((b >> 48) & 0x3fff),
            b & 0xffff_ffff_ffff
        )
    }
}
