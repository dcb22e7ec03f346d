//! Lists of ids, as integers or as text.

use std::fmt;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// Ids of customers or products: all integers or all texts.
///
/// Integer and text ids never match each other: `7` and `"007"` are different customers, and two inputs that disagree
/// are an error, not an empty join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Ids {
    /// Integer ids.
    Integers(Vec<i64>),
    /// Text ids.
    Texts(Vec<String>),
}

impl Ids {
    /// How many ids there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Integers(ids) => ids.len(),
            Self::Texts(ids) => ids.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The id at `index` as text, for messages.
    ///
    /// # Panics
    /// When `index` is not below [`Ids::len`].
    #[must_use]
    pub fn text(&self, index: usize) -> String {
        match self {
            Self::Integers(ids) => ids[index].to_string(),
            Self::Texts(ids) => ids[index].clone(),
        }
    }

    /// The same ids as texts.
    #[must_use]
    pub fn into_texts(self) -> Self {
        match self {
            Self::Integers(ids) => Self::Texts(ids.iter().map(ToString::to_string).collect()),
            texts @ Self::Texts(_) => texts,
        }
    }

    /// What kind the ids are, in words.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Integers(_) => "integers",
            Self::Texts(_) => "text",
        }
    }
}

impl Default for Ids {
    fn default() -> Self {
        Self::Texts(Vec::new())
    }
}

impl From<Vec<i64>> for Ids {
    fn from(ids: Vec<i64>) -> Self {
        Self::Integers(ids)
    }
}

impl From<Vec<String>> for Ids {
    fn from(ids: Vec<String>) -> Self {
        Self::Texts(ids)
    }
}

impl From<Vec<&str>> for Ids {
    fn from(ids: Vec<&str>) -> Self {
        Self::Texts(ids.into_iter().map(str::to_owned).collect())
    }
}

impl<const N: usize> From<[i64; N]> for Ids {
    fn from(ids: [i64; N]) -> Self {
        Self::Integers(ids.to_vec())
    }
}

impl<const N: usize> From<[&str; N]> for Ids {
    fn from(ids: [&str; N]) -> Self {
        Self::from(ids.to_vec())
    }
}

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(IdsVisitor)
    }
}

/// One id as it stands in a file.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneId {
    Integer(i64),
    Text(String),
}

struct IdsVisitor;

impl<'de> Visitor<'de> for IdsVisitor {
    type Value = Ids;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of integers or of texts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Ids, A::Error> {
        let (mut integers, mut texts) = (Vec::new(), Vec::new());
        while let Some(id) = seq.next_element::<OneId>()? {
            match id {
                OneId::Integer(id) => integers.push(id),
                OneId::Text(id) => texts.push(id),
            }
        }
        match (integers.is_empty(), texts.is_empty()) {
            (false, false) => Err(de::Error::custom("ids must be all integers or all texts")),
            (false, true) => Ok(Ids::Integers(integers)),
            _ => Ok(Ids::Texts(texts)),
        }
    }
}
