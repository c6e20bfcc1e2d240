//! Tables of operators' pages: columns on a wide screen; on a phone a row is a small card, each cell with its own label.

use maud::{Markup, html};

/// A column: its heading, and how its cells are shown.
#[derive(Clone, Copy)]
pub(super) struct Column {
    head: &'static str,
    /// Classes of its cells.
    class: &'static str,
    /// Whether cells say their heading on a phone.
    labelled: bool,
}

impl Column {
    /// Something short.
    pub(super) const fn new(head: &'static str) -> Self {
        Self { head, class: "", labelled: true }
    }

    /// A column of a row's subject: the card's first line.
    pub(super) const fn name(head: &'static str) -> Self {
        Self { class: "about", labelled: false, ..Self::new(head) }
    }

    /// The same for texts that need room.
    pub(super) const fn subject(head: &'static str) -> Self {
        Self { class: "words about", ..Self::name(head) }
    }

    /// Words that need room and may break.
    pub(super) const fn words(head: &'static str) -> Self {
        Self { class: "words", ..Self::new(head) }
    }

    /// A column of numbers.
    pub(super) const fn number(head: &'static str) -> Self {
        Self { class: "number", ..Self::new(head) }
    }

    /// A column of values that explain themselves, like a state; beside the subject on a phone.
    pub(super) const fn mark(head: &'static str) -> Self {
        Self { class: "state-cell", labelled: false, ..Self::new(head) }
    }

    /// Buttons; the heading is only read out.
    pub(super) const fn acts() -> Self {
        Self { class: "acts-cell", labelled: false, ..Self::new("Actions") }
    }

    fn class(&self) -> Option<&'static str> {
        (!self.class.is_empty()).then_some(self.class)
    }
}

/// An order that a column's heading leads to, largest first.
pub(super) struct Sort {
    /// The column's number, from 0.
    pub(super) column: usize,
    /// The address of the same list in this order.
    pub(super) address: String,
    /// Whether the list is in this order now.
    pub(super) chosen: bool,
}

/// A table in the order in which the rows come.
pub(super) fn table<const N: usize>(columns: [Column; N], rows: impl IntoIterator<Item = [Markup; N]>) -> Markup {
    sorted_table(columns, &[], rows)
}

/// Renders a table. Roles are written out, because some browsers drop the table's role when its cells are laid out otherwise.
pub(super) fn sorted_table<const N: usize>(
    columns: [Column; N],
    sorts: &[Sort],
    rows: impl IntoIterator<Item = [Markup; N]>,
) -> Markup {
    html! {
        div.rows tabindex="0" {
            table.jobs role="table" {
                thead role="rowgroup" {
                    tr role="row" {
                        @for (i, column) in columns.iter().enumerate() {
                            @let sort = sorts.iter().find(|sort| sort.column == i);
                            th scope="col" role="columnheader" class=[column.class()]
                                aria-sort=[sort.filter(|sort| sort.chosen).map(|_| "descending")] {
                                @match sort {
                                    Some(sort) if !sort.chosen => {
                                        a href=(sort.address) { (column.head) }
                                        // The head of a phone is for readers of the screen alone: nobody sees a link there.
                                        span.phone { (column.head) }
                                     },
                                    Some(_) => { (column.head) " " span aria-hidden="true" { "↓" } },
                                    None if column.class == "acts-cell" => { span.unseen { (column.head) } },
                                    None => { (column.head) },
                                }
                            }
                        }
                    }
                }
                tbody role="rowgroup" {
                    @for row in rows {
                        tr role="row" {
                            @for (column, cell) in columns.iter().zip(row) {
                                td role="cell" class=[column.class()] data-label=[column.labelled.then_some(column.head)] {
                                    div { (cell) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
