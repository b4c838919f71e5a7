//! Which sections a client asked for.

/// A section of the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    MarketData,
    Strategy,
    Execution,
    System,
}

impl Section {
    /// All of them, in the order of the frame.
    pub(super) const ALL: [Self; 4] = [Self::MarketData, Self::Strategy, Self::Execution, Self::System];

    /// Its key in the frame, and the word that subscribes to it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::MarketData => "market_data",
            Self::Strategy => "strategy",
            Self::Execution => "execution",
            Self::System => "system",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The sections that a client named, one bit each. Nobody named any at first, and that means all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Subscription(u8);

impl Subscription {
    /// Every section.
    pub(super) const ALL: Self = Self(0);
    /// How many different subscriptions there are.
    pub(super) const KINDS: usize = 16;

    /// What the subscription becomes when the client says `text`: `subscribe:<section>` adds a section,
    /// `subscribe:all` restores the beginning, and anything else changes nothing.
    pub(super) fn after(self, text: &str) -> Self {
        match text.strip_prefix("subscribe:") {
            Some("all") => Self::ALL,
            Some(name) => match Section::ALL.into_iter().find(|section| section.as_str() == name) {
                Some(section) => Self(self.0 | section.bit()),
                None => self,
            },
            None => self,
        }
    }

    /// Whether frames carry the section.
    pub(super) fn includes(self, section: Section) -> bool {
        self == Self::ALL || self.0 & section.bit() != 0
    }

    /// The words for it, as the statistics list them.
    pub(super) fn names(self) -> Vec<&'static str> {
        if self == Self::ALL {
            return vec!["all"];
        }
        Section::ALL.into_iter().filter(|section| self.includes(*section)).map(Section::as_str).collect()
    }

    /// A number below [`Subscription::KINDS`], its own for each subscription.
    pub(super) fn index(self) -> u8 {
        self.0
    }

    /// The subscription of that number.
    pub(super) fn from_index(index: u8) -> Self {
        Self(index & 0b1111)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_comes_until_a_section_is_named() {
        let subscription = Subscription::default();
        assert_eq!(subscription.names(), ["all"]);
        assert!(Section::ALL.into_iter().all(|section| subscription.includes(section)));
    }

    #[test]
    fn named_sections_add_up_and_all_restores() {
        let subscription = Subscription::default().after("subscribe:system").after("subscribe:market_data");
        assert_eq!(subscription.names(), ["market_data", "system"]);
        assert!(!subscription.includes(Section::Strategy));
        assert_eq!(subscription.after("subscribe:all"), Subscription::ALL);
    }

    #[test]
    fn naming_all_four_one_by_one_stays_narrowed_to_the_four() {
        let subscription = Section::ALL
            .into_iter()
            .fold(Subscription::default(), |before, section| before.after(&format!("subscribe:{}", section.as_str())));
        assert_eq!(subscription.names(), ["market_data", "strategy", "execution", "system"]);
        assert_eq!(subscription.after("subscribe:strategy"), subscription);
    }

    #[test]
    fn other_texts_change_nothing() {
        let subscription = Subscription::default().after("subscribe:execution");
        for text in ["", "ping", "subscribe:", "subscribe:trades", "subscribe: system", "Subscribe:system", "{}"] {
            assert_eq!(subscription.after(text), subscription, "{text:?}");
        }
    }

    #[test]
    fn an_index_leads_back_to_its_subscription() {
        for index in 0..16 {
            assert_eq!(Subscription::from_index(index).index(), index);
        }
    }
}
