//! How do rows come out in columns that fit the terminal? A library's table would wrap cells or cut their
//! ends; names and references differ at both ends, and a line of explanation goes under each row.

use super::{
    Harmless,
    style::{Page, Paint},
};

/// The blanks between columns.
const GAP: usize = 2;

/// No column that can shrink gets wider, however much room there is: one hostile name would push the others
/// out of sight.
const WIDEST: usize = 100;

/// One column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// Its title.
    pub(crate) title: &'static str,
    /// How narrow it may get when there is not enough room; `None` is as wide as its cells.
    pub(crate) least: Option<usize>,
}

/// One cell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    paint: Paint,
    text: Harmless,
    suffix: Harmless,
}

impl Cell {
    /// A cell that may be shortened.
    pub(crate) fn new(paint: Paint, text: impl Into<Harmless>) -> Self {
        Self { paint, text: text.into(), suffix: Harmless::default() }
    }

    /// The same with a text behind it that stays whole.
    pub(crate) fn with_suffix(self, suffix: impl Into<Harmless>) -> Self {
        Self { suffix: suffix.into(), ..self }
    }

    fn width(&self) -> usize {
        self.text.width() + self.suffix.width()
    }
}

/// Columns with their widths.
#[derive(Debug)]
pub(crate) struct Grid<'a> {
    columns: &'a [Column],
    widths: Vec<usize>,
}

impl<'a> Grid<'a> {
    /// The columns, as wide as their cells; where that is too wide, the widest that may shrink do.
    pub(crate) fn fit(columns: &'a [Column], rows: &[Vec<Cell>], room: Option<usize>) -> Self {
        let mut widths: Vec<_> = columns.iter().map(|column| Harmless::from(column.title).width()).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.width().max(*width);
            }
        }
        for (width, column) in widths.iter_mut().zip(columns) {
            *width = if column.least.is_some() { WIDEST.min(*width) } else { *width };
        }
        let gaps = GAP * columns.len().saturating_sub(1);
        let room = room.unwrap_or(usize::MAX);
        while widths.iter().sum::<usize>() + gaps > room {
            let shrinkable = widths.iter_mut().zip(columns).filter_map(|(width, column)| {
                let least = column.least?;
                (*width > least).then_some(width)
            });
            let Some(widest) = shrinkable.max_by_key(|width| **width) else { break };
            *widest -= 1;
        }
        Self { columns, widths }
    }

    /// How far from the margin column `number` starts.
    pub(crate) fn offset(&self, number: usize) -> usize {
        self.widths.iter().take(number).map(|width| width + GAP).sum()
    }

    /// Writes the line of titles.
    pub(crate) fn titles(&self, page: &mut Page) {
        let titles: Vec<_> = self.columns.iter().map(|column| Cell::new(Paint::Dim, column.title)).collect();
        self.row(page, &titles);
    }

    /// Writes one row.
    pub(crate) fn row(&self, page: &mut Page, cells: &[Cell]) {
        for (cell, width) in cells.iter().zip(&self.widths) {
            let text = cell.text.shortened(width.saturating_sub(cell.suffix.width()));
            let suffix = cell.suffix.shortened(width.saturating_sub(text.width()));
            let blank = width.saturating_sub(text.width() + suffix.width());
            page.put(cell.paint, text);
            page.put(Paint::Plain, suffix);
            page.skip(blank + GAP);
        }
        page.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Style;

    #[test]
    fn a_row_fits_the_room_and_keeps_its_suffix() {
        let columns = [Column { title: "A", least: Some(8) }, Column { title: "B", least: None }];
        let rows = [vec![
            Cell::new(Paint::Plain, "注文サービス-a-very-long-name-of-a-service-that-goes-on-and-on-and-on")
                .with_suffix(" +12"),
            Cell::new(Paint::Plain, "rebuild"),
        ]];
        let style = Style { width: Some(60), ..Style::default() };
        let mut page = Page::new(&style);
        let grid = Grid::fit(&columns, &rows, page.width());
        grid.row(&mut page, &rows[0]);
        let text = page.into_text();
        assert_eq!(Harmless::from(text.trim_end()).width(), 60, "{text}");
        assert!(text.contains(" +12  rebuild"), "{text}");
    }

    #[test]
    fn one_endless_name_does_not_push_the_other_columns_away() {
        let columns = [Column { title: "A", least: Some(8) }, Column { title: "B", least: None }];
        let rows = [vec![Cell::new(Paint::Plain, "x".repeat(900)), Cell::new(Paint::Plain, "rebuild")]];
        let grid = Grid::fit(&columns, &rows, None);
        assert_eq!(grid.offset(1), WIDEST + GAP);
    }
}
