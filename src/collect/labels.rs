//! What is kept of each label of a service, as long as the service speaks of it.

use std::collections::HashMap;

use crate::tables::LONGEST_TEXT;
use crate::time::Micros;

/// Labels that are kept of one service.
const MOST: usize = 100_000;
/// Labels that are shown among the newest values: they are in every frame, ten times a second.
const MOST_SHOWN: usize = 10_000;

/// Labels in the order in which they appeared first.
pub(super) struct Labels<T> {
    entries: Vec<Entry<T>>,
    positions: HashMap<Box<str>, usize>,
    most: usize,
    most_shown: usize,
    /// The last scrape that spoke of any.
    newest: Micros,
    /// A scrape that speaks of all the labels there is room for.
    full: Option<Micros>,
}

struct Entry<T> {
    label: Box<str>,
    /// The last scrape that spoke of it.
    seen: Micros,
    value: T,
}

impl<T> Default for Labels<T> {
    fn default() -> Self {
        Self::of_at_most(MOST, MOST_SHOWN)
    }
}

impl<T> Labels<T> {
    fn of_at_most(most: usize, most_shown: usize) -> Self {
        Self { entries: Vec::new(), positions: HashMap::new(), most, most_shown, newest: Micros::MIN, full: None }
    }

    /// What is kept of a label that the scrape of `now` speaks of; the first time it is what `begin` gives. `None` when
    /// this scrape speaks of more labels than are kept, or of one that is too long to be stored.
    pub(super) fn speak_of(&mut self, label: &str, now: Micros, begin: impl FnOnce() -> T) -> Option<&mut T> {
        self.newest = now;
        if let Some(position) = self.positions.get(label) {
            let entry = self.entries.get_mut(*position)?;
            entry.seen = now;
            return Some(&mut entry.value);
        }
        if label.len() > LONGEST_TEXT || !self.has_room(now) {
            return None;
        }
        self.positions.insert(label.into(), self.entries.len());
        self.entries.push(Entry { label: label.into(), seen: now, value: begin() });
        self.entries.last_mut().map(|entry| &mut entry.value)
    }

    /// Whether there is room for one more. Labels that this scrape has not spoken of make room, the oldest first.
    fn has_room(&mut self, now: Micros) -> bool {
        if self.entries.len() < self.most {
            return true;
        }
        if self.full == Some(now) {
            return false;
        }
        let others = self.entries.iter().map(|entry| entry.seen).filter(|seen| *seen != now);
        let mut others: Vec<Micros> = others.collect();
        if others.is_empty() {
            self.full = Some(now);
            return false;
        }
        let middle = others.len() / 2;
        let since = *others.select_nth_unstable(middle).1;
        self.forget(|entry| entry.seen != now && entry.seen <= since, |_, _| ());
        true
    }

    /// Forgets the labels that no scrape has spoken of since `since`, and hands each over.
    pub(super) fn forget_before(&mut self, since: Micros, leave: impl FnMut(Box<str>, T)) {
        // A clock that is set back makes no label old.
        self.forget(|entry| entry.seen < since, leave);
    }

    fn forget(&mut self, is_old: impl Fn(&Entry<T>) -> bool, mut leave: impl FnMut(Box<str>, T)) {
        if !self.entries.iter().any(&is_old) {
            return;
        }
        for entry in self.entries.extract_if(.., |entry| is_old(entry)) {
            leave(entry.label, entry.value);
        }
        self.positions = self.entries.iter().enumerate().map(|(at, entry)| (entry.label.clone(), at)).collect();
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.entries.iter().map(|entry| (&*entry.label, &entry.value))
    }

    /// All of them, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut T)> {
        self.entries.iter_mut().map(|entry| (&*entry.label, &mut entry.value))
    }

    /// Those that are shown: all of them, or where they are too many, the first ones that the last scrape spoke of.
    pub(super) fn shown(&self) -> impl Iterator<Item = (&str, &T)> {
        let all = self.entries.len() <= self.most_shown;
        let shown = self.entries.iter().filter(move |entry| all || entry.seen == self.newest);
        shown.take(self.most_shown).map(|entry| (&*entry.label, &entry.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(labels: &Labels<u32>) -> Vec<&str> {
        labels.iter().map(|(label, _)| label).collect()
    }

    #[test]
    fn a_label_stays_while_it_is_spoken_of_and_begins_afresh_when_it_comes_back() {
        let mut labels = Labels::default();
        *labels.speak_of("A", 1, || 10).unwrap() += 1;
        labels.speak_of("B", 1, || 20).unwrap();
        assert_eq!(labels.speak_of("A", 5, || 0).copied(), Some(11));
        let mut gone = Vec::new();
        labels.forget_before(5, |label, value| gone.push((label.to_string(), value)));
        assert_eq!((names(&labels), gone), (vec!["A"], vec![("B".to_owned(), 20)]));
        assert_eq!(labels.speak_of("B", 6, || 7).copied(), Some(7));
        assert_eq!(names(&labels), ["A", "B"]);
        assert_eq!(labels.speak_of("A", 6, || 0).copied(), Some(11));
    }

    #[test]
    fn new_labels_take_the_place_of_old_ones_but_not_of_others_in_the_same_scrape() {
        let mut labels = Labels::of_at_most(4, 4);
        for (now, label) in [(1, "A"), (2, "B"), (3, "C"), (4, "D"), (5, "E")] {
            assert!(labels.speak_of(label, now, || 0).is_some());
        }
        assert_eq!(names(&labels), ["D", "E"], "the older half has made room");
        assert!(["F", "G", "H"].iter().all(|label| labels.speak_of(label, 5, || 0).is_some()));
        assert!(labels.speak_of("I", 5, || 0).is_none());
        assert_eq!(names(&labels), ["E", "F", "G", "H"]);
        assert!(labels.speak_of(&"x".repeat(LONGEST_TEXT + 1), 6, || 0).is_none());
    }

    #[test]
    fn of_too_many_labels_those_of_the_last_scrape_are_shown() {
        let mut labels = Labels::of_at_most(10, 2);
        for (now, label) in [(1, "A"), (1, "B"), (2, "C")] {
            labels.speak_of(label, now, || 0);
        }
        assert_eq!(labels.shown().map(|(label, _)| label).collect::<Vec<_>>(), ["C"]);
        labels.forget_before(2, |_, _| ());
        assert_eq!(labels.shown().count(), 1);
    }
}
