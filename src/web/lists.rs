//! The lists that searches found lately, so that pages of one list fit together.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use super::locking::lock;
use crate::engine::{By, Found, Query, Reading, ViewId};

/// Lists that are kept; those that were used the longest time ago make room for the next.
const MAX_LISTS: usize = 32;

/// The most pictures of all lists that are kept, at about 100 bytes each. The last list is kept
/// however long it is.
const MAX_PICTURES: usize = 2_000_000;

/// A list and the query that it answers.
pub(super) struct HitList {
    /// Its name in cursors.
    pub(super) number: u64,
    /// What was asked, so that the same question gets the same list while the index is the same;
    /// `None` for a question with a picture, which is not compared.
    pub(super) asked: Option<String>,
    pub(super) query: Query,
    pub(super) by: By,
    /// What the model made of the text of each part.
    pub(super) readings: Vec<Option<Reading>>,
    pub(super) found: Found,
}

/// The lists used last, the latest at the end.
#[derive(Default)]
pub(super) struct Lists {
    kept: Mutex<Kept>,
}

struct Kept {
    last: u64,
    lists: VecDeque<Arc<HitList>>,
}

impl Default for Kept {
    /// Numbers begin with the microseconds since 1970, so that a cursor of an earlier server is of
    /// no list of this one: no server makes a list per microsecond. JavaScript is exact to 2⁵³.
    fn default() -> Self {
        let age = SystemTime::now().duration_since(UNIX_EPOCH);
        let micros = age.map_or(0, |age| age.as_micros());
        Self {
            last: u64::try_from(micros).unwrap_or(0),
            lists: VecDeque::new(),
        }
    }
}

impl Lists {
    /// The list with this number.
    pub(super) fn get(&self, number: u64) -> Option<Arc<HitList>> {
        self.used(|list| list.number == number)
    }

    /// The list that answers this in this view of the index.
    pub(super) fn answer(&self, asked: &str, view: ViewId) -> Option<Arc<HitList>> {
        self.used(|list| list.asked.as_deref() == Some(asked) && list.found.view_id() == view)
    }

    /// Keeps the list that `make` makes of its number.
    pub(super) fn add(&self, make: impl FnOnce(u64) -> HitList) -> Arc<HitList> {
        let mut kept = lock(&self.kept);
        kept.last += 1;
        let list = Arc::new(make(kept.last));
        kept.lists.push_back(Arc::clone(&list));
        let mut n = kept
            .lists
            .iter()
            .map(|list| list.found.len())
            .sum::<usize>();
        while kept.lists.len() > 1 && (kept.lists.len() > MAX_LISTS || n > MAX_PICTURES) {
            let oldest = kept.lists.pop_front();
            n -= oldest.map_or(0, |list| list.found.len());
        }
        list
    }

    fn used(&self, is_wanted: impl Fn(&HitList) -> bool) -> Option<Arc<HitList>> {
        let mut kept = lock(&self.kept);
        let at = kept.lists.iter().position(|list| is_wanted(list))?;
        let list = kept.lists.remove(at)?;
        kept.lists.push_back(Arc::clone(&list));
        Some(list)
    }
}
