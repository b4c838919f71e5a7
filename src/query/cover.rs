//! Which roll-ups answer for a span of time: the coarsest that are exact, and rows where there are none.

use crate::store::{Level, Rolled};
use crate::time::{self, Micros, SECOND};

/// A part of a span, from one instant up to but not including another, and what answers for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// A level of roll-ups, or the rows themselves.
    pub level: Option<Level>,
    /// The first instant.
    pub from: Micros,
    /// The first instant after it.
    pub until: Micros,
}

/// Parts the span from `from` up to but not including `until` into segments, oldest first, so that each bucket of
/// `width` is made of whole narrower buckets and of the rows at its ends. `rolled` has the levels, coarsest first.
pub fn cover(rolled: &[Rolled], width: Micros, from: Micros, until: Micros) -> Vec<Segment> {
    let mut segments = Vec::new();
    fill(rolled, width, from, until, &mut segments);
    segments
}

/// Rows that are read in about the time that it takes to plan the merge with one level more: 1.3 ms.
const ROWS_FOR_A_LEVEL: f64 = 25_000.0;

/// Takes rows in the place of narrow buckets where roll-ups end, as far as so few rows stand for them that they are read
/// sooner than they are merged. `segments` are of buckets of `width`, and there are `per_second` rows a second.
///
/// Rows of the day in which roll-ups end are always there.
pub fn prefer_few_rows(segments: &mut Vec<Segment>, width: Micros, rolled: &[Rolled], per_second: Option<f64>) {
    let (Some(end), Some(per_second), Some(finest)) = (segments.last().copied(), per_second, rolled.last()) else {
        return;
    };
    if end.level.is_some() || end.from != finest.until {
        return;
    }
    let of_today = |segment: &Segment| !is_ready(segment, width) && segment.from >= time::day_start(end.from);
    let choices =
        segments.iter().enumerate().rev().take_while(|(_, segment)| segment.level.is_none() || of_today(segment));
    let cost = |(kept, segment): &(usize, &Segment)| {
        *kept as f64 * ROWS_FOR_A_LEVEL + (end.from - segment.from) as f64 / SECOND as f64 * per_second
    };
    let cheapest = choices.min_by(|one, other| cost(one).total_cmp(&cost(other)));
    if let Some((kept, from)) = cheapest.map(|(kept, segment)| (kept, segment.from)) {
        segments.truncate(kept);
        segments.push(Segment { level: None, from, until: end.until });
    }
}

fn fill(rolled: &[Rolled], width: Micros, from: Micros, until: Micros, segments: &mut Vec<Segment>) {
    if from >= until {
        return;
    }
    let Some((coarsest, finer)) = rolled.split_first() else {
        segments.push(Segment { level: None, from, until });
        return;
    };
    let step = coarsest.level.width();
    let (first, last) =
        (time::ceil(from, step).max(coarsest.from).min(until), time::floor(until, step).min(coarsest.until));
    if width % step != 0 || first >= last {
        return fill(finer, width, from, until, segments);
    }
    fill(finer, width, from, first, segments);
    segments.push(Segment { level: Some(coarsest.level), from: first, until: last });
    fill(finer, width, last, until, segments);
}

/// Segments in pieces that are read one after the other, newest first, each made when it is its turn: a request alone does
/// not decide how many there are.
#[derive(Debug)]
pub struct Pieces {
    rest: Vec<Segment>,
    width: Micros,
}

impl Pieces {
    /// Pieces of whole buckets of `width`. `segments` are in the order of time.
    pub fn new(segments: Vec<Segment>, width: Micros) -> Self {
        Self { rest: segments, width }
    }

    /// The next piece, which holds at most `buckets` buckets, and is a level of that very width alone wherever there is one:
    /// nothing has to be merged there.
    pub fn next(&mut self, buckets: i64) -> Option<Vec<Segment>> {
        let newest = self.rest.last().copied()?;
        let ready = is_ready(&newest, self.width);
        // As far back as the same can be said of what lies there.
        let mut from = newest.until.saturating_sub(1);
        for segment in self.rest.iter().rev().take_while(|segment| is_ready(segment, self.width) == ready) {
            from = segment.from;
        }
        let longest = time::floor(newest.until.saturating_sub(1), self.width)
            .saturating_sub(self.width.saturating_mul(buckets.saturating_sub(1)));
        let from = from.max(longest);
        let piece = clip(&self.rest, from, newest.until);
        self.rest = clip(&self.rest, Micros::MIN, from);
        Some(piece)
    }

    /// Takes a piece back, which is the next one again, in as many pieces as it takes.
    pub fn put_back(&mut self, piece: &[Segment]) {
        self.rest.extend_from_slice(piece);
    }
}

/// About how many buckets of `width` the segments of a piece hold.
pub fn buckets_of(piece: &[Segment], width: Micros) -> i64 {
    let from = piece.first().map_or(0, |first| time::floor(first.from, width));
    let until = piece.last().map_or(0, |last| time::ceil(last.until, width));
    until.saturating_sub(from) / width.max(1)
}

fn is_ready(segment: &Segment, width: Micros) -> bool {
    segment.level.is_some_and(|level| level.width() == width)
}

fn clip(segments: &[Segment], from: Micros, until: Micros) -> Vec<Segment> {
    let clipped = segments.iter().map(|segment| Segment {
        level: segment.level,
        from: segment.from.max(from),
        until: segment.until.min(until),
    });
    clipped.filter(|segment| segment.from < segment.until).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::LEVELS;
    use crate::time::DAY;

    const MINUTE: Micros = 60 * SECOND;
    const HOUR: Micros = 60 * MINUTE;

    fn rolled(until: Micros) -> Vec<Rolled> {
        let level =
            |level: &Level| Rolled { level: *level, from: -1_000 * DAY, until: time::floor(until, level.width()) };
        LEVELS.iter().rev().map(level).collect()
    }

    fn text(segments: &[Segment]) -> String {
        let one = |segment: &Segment| {
            let level = segment.level.map_or("rows", Level::name);
            format!("{level} {}..{}", segment.from / SECOND, segment.until / SECOND)
        };
        segments.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_span_is_covered_from_rows_to_hours_and_back() {
        let segments = cover(&rolled(10 * HOUR), HOUR, HOUR - 90 * SECOND, 2 * HOUR + 61 * SECOND);
        assert_eq!(text(&segments), "rows 3510..3540, 1m 3540..3600, 1h 3600..7200, 1m 7200..7260, rows 7260..7261");
        let segments = cover(&rolled(HOUR + 7 * MINUTE), HOUR, 0, 3 * HOUR);
        assert_eq!(text(&segments), "1h 0..3600, 5m 3600..3900, 1m 3900..4020, rows 4020..10800");
    }

    #[test]
    fn a_level_that_does_not_divide_the_width_is_left_out() {
        assert_eq!(text(&cover(&rolled(DAY), 5 * MINUTE, 0, HOUR)), "5m 0..3600");
        assert_eq!(text(&cover(&rolled(DAY), MINUTE, 0, HOUR)), "1m 0..3600");
        assert_eq!(text(&cover(&rolled(DAY), 7 * SECOND, 0, HOUR)), "rows 0..3600");
    }

    #[test]
    fn few_rows_are_read_in_the_place_of_narrow_buckets_where_roll_ups_end() {
        let rolled = rolled(HOUR + 7 * MINUTE);
        let preferred = |width, until, per_second| {
            let mut segments = cover(&rolled, width, 0, until);
            prefer_few_rows(&mut segments, width, &rolled, per_second);
            text(&segments)
        };
        let all = "1h 0..3600, 5m 3600..3900, 1m 3900..4020, rows 4020..4200";
        assert_eq!(preferred(HOUR, 4_200 * SECOND, None), all);
        assert_eq!(preferred(HOUR, 4_200 * SECOND, Some(1_000.0)), all);
        assert_eq!(preferred(HOUR, 4_200 * SECOND, Some(150.0)), "1h 0..3600, 5m 3600..3900, rows 3900..4200");
        assert_eq!(preferred(HOUR, 4_200 * SECOND, Some(50.0)), "1h 0..3600, rows 3600..4200");
        assert_eq!(preferred(DAY, 4_200 * SECOND, Some(5.0)), "rows 0..4200");
        // What ends elsewhere stays as it is: its rows may have been dropped, or are far away.
        let elsewhere = cover(&rolled, HOUR, 0, 3_690 * SECOND);
        assert_eq!(preferred(HOUR, 3_690 * SECOND, Some(0.1)), text(&elsewhere));
    }

    fn pieces(segments: Vec<Segment>, width: Micros, buckets: i64) -> Vec<Vec<Segment>> {
        let mut pieces = Pieces::new(segments, width);
        std::iter::from_fn(|| pieces.next(buckets)).collect()
    }

    #[test]
    fn a_piece_that_was_too_long_comes_again_in_shorter_ones() {
        let mut pieces = Pieces::new(vec![Segment { level: None, from: 90 * SECOND, until: 301 * SECOND }], MINUTE);
        let piece = pieces.next(100).unwrap();
        assert_eq!((text(&piece).as_str(), buckets_of(&piece, MINUTE)), ("rows 90..301", 5));
        pieces.put_back(&piece);
        assert_eq!(text(&pieces.next(2).unwrap()), "rows 240..301");
        assert_eq!(text(&pieces.next(i64::MAX).unwrap()), "rows 90..240");
        assert_eq!(pieces.next(1), None);
    }

    #[test]
    fn pieces_are_of_whole_buckets_and_ready_buckets_stand_alone() {
        let segments = cover(&rolled(HOUR + 7 * MINUTE), HOUR, 10 * SECOND - HOUR, 3 * HOUR);
        let pieces = pieces(segments, HOUR, 1_000);
        let pieces: Vec<_> = pieces.iter().map(|piece| text(piece)).collect();
        assert_eq!(
            pieces,
            [
                "5m 3600..3900, 1m 3900..4020, rows 4020..10800",
                "1h 0..3600",
                "rows -3590..-3540, 1m -3540..-3300, 5m -3300..0",
            ]
        );
    }

    #[test]
    fn a_piece_has_no_more_buckets_than_it_may() {
        let segments = [Segment { level: None, from: 90 * SECOND, until: 301 * SECOND }];
        let pieces = pieces(segments.to_vec(), MINUTE, 2);
        let pieces: Vec<_> = pieces.iter().map(|piece| text(piece)).collect();
        assert_eq!(pieces, ["rows 240..301", "rows 120..240", "rows 90..120"]);
    }
}
