//! What a person reads and a program takes on: the table of `Display`, tidy frames, and one HTML page with its charts inside.
//!
//! The result becomes finished strings once (the page); text and HTML are layouts of it. A refused study is shown whole, as differences:
//! the word that claims a cause does not occur.

mod asked;
#[cfg(feature = "report")]
mod charts;
mod closing;
mod effects;
mod frame;
mod headline;
#[cfg(feature = "report")]
mod html;
mod money;
pub(crate) mod number;
mod page;
mod payback;
mod segments;
mod table;
mod text;
mod together;
mod trust;
mod variants;
mod verdict;
mod weekly;
#[cfg(feature = "report")]
mod weeks;
mod words;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

#[cfg(feature = "report")]
pub use html::Report;
