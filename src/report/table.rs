//! Tables of finished strings, which text and HTML lay out each in its own way.

/// A table.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    /// Its title.
    pub(super) title: String,
    /// The columns.
    pub(super) columns: Vec<Column>,
    /// The rows; each has a cell for every column.
    pub(super) rows: Vec<Row>,
    /// What stands under it.
    pub(super) notes: Vec<String>,
}

/// A column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Its heading; empty over row names.
    pub(super) title: String,
    /// How its cells are set.
    pub(super) set: Set,
}

/// How cells are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    /// Names, at the left.
    Name,
    /// Numbers, at the right.
    Number,
    /// Sentences, at the left, broken into lines.
    Sentence,
}

/// A row.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// What it is.
    pub(super) kind: RowKind,
    /// Its cells.
    pub(super) cells: Vec<String>,
}

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowKind {
    /// A part.
    Part,
    /// A part of the part above.
    Detail,
    /// The sum of the parts above.
    Sum,
}

impl Table {
    /// A table without rows.
    pub(super) fn new(title: impl Into<String>, columns: &[(&str, Set)]) -> Self {
        let columns = columns.iter().map(|&(title, set)| Column { title: title.to_owned(), set }).collect();
        Self { title: title.into(), columns, ..Self::default() }
    }

    /// Adds a row.
    pub(super) fn push(&mut self, kind: RowKind, cells: Vec<String>) {
        self.rows.push(Row { kind, cells });
    }
}
