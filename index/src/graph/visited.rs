//! Which points has this search seen? Marks that are forgotten in no time.

/// One mark per point: the number of the search that set it. Starting a search only counts up, so nothing is cleared
/// until the 16-bit number runs out.
#[derive(Debug, Default)]
pub(crate) struct Visited {
    marks: Vec<u16>,
    epoch: u16,
}

impl Visited {
    /// Forgets all marks and makes room for `n_points`.
    pub(crate) fn start(&mut self, n_points: usize) {
        if self.marks.len() != n_points || self.epoch == u16::MAX {
            self.marks.clear();
            self.marks.resize(n_points, 0);
            self.epoch = 0;
        }
        self.epoch += 1;
    }

    /// Marks a point; true when it was not marked yet. A point that does not exist counts as seen.
    pub(crate) fn insert(&mut self, point: u32) -> bool {
        match self.marks.get_mut(point as usize) {
            Some(mark) if *mark != self.epoch => {
                *mark = self.epoch;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_last_for_one_search_even_when_the_counter_wraps() {
        let mut visited = Visited::default();
        let mut n_searches = 0;
        for _ in 0..70_000 {
            visited.start(3);
            assert!(visited.insert(1));
            assert!(!visited.insert(1));
            assert!(visited.insert(2));
            assert!(!visited.insert(3), "there is no point 3");
            n_searches += 1;
        }
        assert_eq!(n_searches, 70_000);
    }
}
