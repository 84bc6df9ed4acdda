//! Columns that fit the terminal. Cells are shortened in the middle, because names and references differ at both ends,
//! and rows can be followed by full-width lines.

use super::{
    Sanitized,
    style::{TextPage, TextStyle},
};

/// The number of blanks between columns.
const GAP: usize = 2;

/// The maximum width of a column that can shrink, so that one long name does not push others off the screen.
const WIDEST: usize = 100;

/// One column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GridColumn {
    /// The title.
    pub(crate) title: &'static str,
    /// The minimum width; `None` if the column cannot shrink.
    pub(crate) least: Option<usize>,
}

/// One cell.
#[derive(Clone, Debug, Default)]
pub(crate) struct GridCell {
    paint: TextStyle,
    text: Sanitized,
    suffix: Sanitized,
}

impl GridCell {
    /// A cell that may be shortened.
    pub(crate) fn new(paint: TextStyle, text: impl Into<Sanitized>) -> Self {
        Self { paint, text: text.into(), suffix: Sanitized::default() }
    }

    /// Adds a suffix that is not shortened.
    pub(crate) fn with_suffix(self, suffix: impl Into<Sanitized>) -> Self {
        Self { suffix: suffix.into(), ..self }
    }

    fn width(&self) -> usize {
        self.text.width() + self.suffix.width()
    }
}

/// Columns with their widths.
#[derive(Debug)]
pub(crate) struct Grid<'a> {
    columns: &'a [GridColumn],
    widths: Vec<usize>,
}

impl<'a> Grid<'a> {
    /// Computes column widths from the cells, and shrinks the widest columns to fit `room`.
    pub(crate) fn fit(columns: &'a [GridColumn], rows: &[Vec<GridCell>], room: Option<usize>) -> Self {
        let mut widths: Vec<_> = columns.iter().map(|column| Sanitized::from(column.title).width()).collect();
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

    /// The start of column `number`, in columns of the terminal.
    pub(crate) fn offset(&self, number: usize) -> usize {
        self.widths.iter().take(number).map(|width| width + GAP).sum()
    }

    /// Writes the title row.
    pub(crate) fn titles(&self, page: &mut TextPage) {
        let titles: Vec<_> = self.columns.iter().map(|column| GridCell::new(TextStyle::Dim, column.title)).collect();
        self.row(page, &titles);
    }

    /// Writes a row.
    pub(crate) fn row(&self, page: &mut TextPage, cells: &[GridCell]) {
        for (cell, width) in cells.iter().zip(&self.widths) {
            let text = cell.text.shortened(width.saturating_sub(cell.suffix.width()));
            let suffix = cell.suffix.shortened(width.saturating_sub(text.width()));
            let blank = width.saturating_sub(text.width() + suffix.width());
            page.put(cell.paint, text);
            page.put(TextStyle::Plain, suffix);
            page.skip(blank + GAP);
        }
        page.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::RenderOptions;

    #[test]
    fn a_row_fits_the_width_and_keeps_its_suffix() {
        let columns = [GridColumn { title: "A", least: Some(8) }, GridColumn { title: "B", least: None }];
        let rows = [vec![
            GridCell::new(TextStyle::Plain, "注文サービス-a-very-long-name-of-a-service-that-goes-on-and-on-and-on")
                .with_suffix(" +12"),
            GridCell::new(TextStyle::Plain, "rebuild"),
        ]];
        let style = RenderOptions { width: Some(60), ..RenderOptions::default() };
        let mut page = TextPage::new(&style);
        let grid = Grid::fit(&columns, &rows, page.width());
        grid.row(&mut page, &rows[0]);
        let text = page.into_text();
        assert_eq!(Sanitized::from(text.trim_end()).width(), 60, "{text}");
        assert!(text.contains(" +12  rebuild"), "{text}");
    }

    #[test]
    fn a_long_name_does_not_push_other_columns_away() {
        let columns = [GridColumn { title: "A", least: Some(8) }, GridColumn { title: "B", least: None }];
        let rows = [vec![GridCell::new(TextStyle::Plain, "x".repeat(900)), GridCell::new(TextStyle::Plain, "rebuild")]];
        let grid = Grid::fit(&columns, &rows, None);
        assert_eq!(grid.offset(1), WIDEST + GAP);
    }
}
