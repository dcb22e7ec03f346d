//! Charts as inline SVG, one file a chart. Without scripts and fonts of their own; every figure drawn stands in a table of the page, too.

mod canvas;
mod forest;
mod timeline;
mod waterfall;
mod weekly;

pub(super) use forest::forest;
pub(super) use waterfall::waterfall;
pub(super) use weekly::weekly;

/// A drawing.
#[derive(Debug, Clone)]
pub(super) struct Chart {
    /// The SVG element, with what it shows in its `aria-label`.
    pub(super) svg: String,
}
