//! Cells by the names under which they stand in the result: `focal.promotion`, `any.post`, and effects as sets of them.

use super::Job;
use crate::cells::{Atom, Role};
use crate::effects::Effect;
use crate::known::Reason;
use crate::study::Period;

/// The name of all roles together.
const ANY: &str = "any";

/// A cell after the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// `None`: all roles together.
    role: Option<Role>,
    period: Period,
    /// Only the part on general sale, or off it.
    marked_down: Option<bool>,
}

/// Some cells, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cells(Vec<Place>);

/// What a name stands for.
pub(super) enum Named {
    /// Cells.
    Cells(Cells),
    /// Cells that this study does not have.
    Missing(Reason),
    /// A cell of the baseline.
    Baseline,
    /// Nothing.
    Unknown,
}

impl Cells {
    /// Adds those of others that are not there yet.
    pub(super) fn add(&mut self, others: &Self) {
        for place in &others.0 {
            if !self.0.contains(place) {
                self.0.push(*place);
            }
        }
    }

    /// Whether they count the lines of an atom.
    pub(super) fn counts(&self, atom: &Atom) -> bool {
        let counts = |place: &Place| {
            let flagged = place.marked_down.is_none_or(|m| atom.marked_down == Some(m));
            flagged && place.period == atom.period && place.role.is_none_or(|role| role == atom.class.role)
        };
        self.0.iter().any(counts)
    }

    /// Whether a part on general sale, or off it, is among them.
    pub(super) fn split_by_sale(&self) -> bool {
        self.0.iter().any(|place| place.marked_down.is_some())
    }

    /// As cells whose distinct baskets may be added: one role, or all together, in each period. Where there are several, that period.
    pub(super) fn baskets(&self) -> Result<Vec<(Option<Role>, Period)>, Period> {
        let mut cells: Vec<(Option<Role>, Period)> = Vec::with_capacity(self.0.len());
        for place in &self.0 {
            match cells.iter().find(|(_, period)| *period == place.period) {
                Some((role, period)) if *role != place.role => return Err(*period),
                Some(_) => {}
                None => cells.push((place.role, place.period)),
            }
        }
        Ok(cells)
    }

    fn of_effect(effect: &Effect) -> Self {
        if effect.name == "total" {
            // Of all roles together, so that baskets count once.
            let mut whole = Self::default();
            for (_, period) in &effect.cells {
                whole.add(&Self(vec![Place { role: None, period: *period, marked_down: None }]));
            }
            return whole;
        }
        Self(effect.cells.iter().map(|(role, period)| Place { role: Some(*role), period: *period, marked_down: effect.marked_down }).collect())
    }
}

impl Job<'_> {
    /// The cells of a name.
    pub(super) fn cells_named(&self, name: &str) -> Named {
        if let Some(effect) = self.effects.iter().find(|effect| effect.name == name) {
            return effect.absent.map_or_else(|| Named::Cells(Cells::of_effect(effect)), Named::Missing);
        }
        if name == "anticipation" {
            return Named::Missing(Reason::NotAnnounced);
        }
        let Some((role, period)) = name.split_once('.') else { return Named::Unknown };
        let known_role = Role::ALL.into_iter().find(|known| known.name() == role);
        let Some(period) = Period::ALL.into_iter().find(|known| known.name() == period).filter(|_| known_role.is_some() || role == ANY) else {
            return Named::Unknown;
        };
        match self.no_days(period) {
            _ if period == Period::Baseline => Named::Baseline,
            Some(reason) => Named::Missing(reason),
            None => Named::Cells(Cells(vec![Place { role: known_role, period, marked_down: None }])),
        }
    }

    /// Every name that stands for cells after the baseline.
    pub(super) fn cell_names(&self) -> Vec<String> {
        let periods = || Period::ALL.into_iter().filter(|period| *period != Period::Baseline && self.plan.windows.days(*period) > 0);
        let roles = Role::ALL.into_iter().map(Role::name).chain([ANY]);
        let cells = roles.flat_map(|role| periods().map(move |period| format!("{role}.{period}")));
        self.effects.iter().map(|effect| effect.name.clone()).chain(cells).collect()
    }

    /// Why a period has no days, where it has none.
    fn no_days(&self, period: Period) -> Option<Reason> {
        if self.plan.windows.days(period) > 0 {
            return None;
        }
        let announced = self.study.promotion.announced.is_some_and(|day| day < self.study.promotion.start);
        Some(match period {
            Period::Anticipation if !announced => Reason::NotAnnounced,
            Period::Anticipation => Reason::NoAnticipationWindow,
            Period::Baseline => Reason::NoBaseline,
            _ => Reason::NoPostWindow,
        })
    }
}
