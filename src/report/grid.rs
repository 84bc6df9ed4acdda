//! Columns that fit the terminal. Cells are shortened in the middle, because names and references differ at both ends,
//! and rows can be followed by full-width lines. Where the columns do not fit, each row is a list of its cells instead.

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
    indent: usize,
    is_stacked: bool,
}

impl<'a> Grid<'a> {
    /// Computes column widths from the cells, and shrinks the widest columns to fit `page`.
    pub(crate) fn fit(columns: &'a [GridColumn], rows: &[Vec<GridCell>], page: &TextPage) -> Self {
        Self::fit_indented(0, columns, rows, page)
    }

    /// Like [`fit`](Self::fit), with every line indented.
    pub(crate) fn fit_indented(
        indent: usize,
        columns: &'a [GridColumn],
        rows: &[Vec<GridCell>],
        page: &TextPage,
    ) -> Self {
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
        let room = page.room(indent);
        while widths.iter().sum::<usize>() + gaps > room {
            let shrinkable = widths.iter_mut().zip(columns).filter_map(|(width, column)| {
                let least = column.least?;
                (*width > least).then_some(width)
            });
            let Some(widest) = shrinkable.max_by_key(|width| **width) else { break };
            *widest -= 1;
        }
        let is_stacked = page.is_narrow() || widths.iter().sum::<usize>() + gaps > room;
        Self { columns, widths, indent, is_stacked }
    }

    /// Whether each row is a list, because the columns do not fit.
    pub(crate) fn is_stacked(&self) -> bool {
        self.is_stacked
    }

    /// The indentation of a line under a row: the start of column `number`.
    pub(crate) fn offset(&self, number: usize) -> usize {
        let columns = self.widths.iter().take(number).map(|width| width + GAP).sum();
        self.indent + if self.is_stacked { GAP } else { columns }
    }

    /// Writes the title row.
    pub(crate) fn titles(&self, page: &mut TextPage) {
        if self.is_stacked {
            return;
        }
        let titles: Vec<_> = self.columns.iter().map(|column| GridCell::new(TextStyle::Dim, column.title)).collect();
        self.row(page, &titles);
    }

    /// Writes a row.
    pub(crate) fn row(&self, page: &mut TextPage, cells: &[GridCell]) {
        if self.is_stacked {
            return self.list(page, cells);
        }
        page.skip(self.indent);
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

    /// Writes a row as a list of its cells, after an empty line. Nothing is cut.
    fn list(&self, page: &mut TextPage, cells: &[GridCell]) {
        let widest = self.columns.iter().map(|column| column.title.len()).max().unwrap_or_default();
        page.end_paragraph();
        for (column, cell) in self.columns.iter().zip(cells) {
            let text = Sanitized::from(format!("{}{}", cell.text.as_str(), cell.suffix.as_str()));
            if text.is_empty() {
                continue;
            }
            page.skip(self.indent);
            page.put(TextStyle::Dim, column.title);
            page.skip(widest + GAP - column.title.len());
            page.hanging(cell.paint, self.indent + widest + GAP, text);
        }
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
        let grid = Grid::fit(&columns, &rows, &page);
        grid.row(&mut page, &rows[0]);
        let text = page.into_text();
        assert_eq!(Sanitized::from(text.trim_end()).width(), 60, "{text}");
        assert!(text.contains(" +12  rebuild"), "{text}");
    }

    #[test]
    fn a_long_name_does_not_push_other_columns_away() {
        let columns = [GridColumn { title: "A", least: Some(8) }, GridColumn { title: "B", least: None }];
        let rows = [vec![GridCell::new(TextStyle::Plain, "x".repeat(900)), GridCell::new(TextStyle::Plain, "rebuild")]];
        let grid = Grid::fit(&columns, &rows, &TextPage::new(&RenderOptions::default()));
        assert_eq!(grid.offset(1), WIDEST + GAP);
    }

    #[test]
    fn a_row_is_a_list_on_a_narrow_page_or_if_its_columns_do_not_fit() {
        let long = "a name of many words that does not fit into one line";
        let columns =
            |least| [GridColumn { title: "A", least: Some(least) }, GridColumn { title: "LONG", least: None }];
        let rows =
            [vec![GridCell::new(TextStyle::Plain, long).with_suffix(" +12"), GridCell::new(TextStyle::Plain, "b")]];
        let text = |width, least| {
            let mut page = TextPage::new(&RenderOptions { width: Some(width), ..RenderOptions::default() });
            let columns = columns(least);
            let grid = Grid::fit(&columns, &rows, &page);
            grid.titles(&mut page);
            grid.row(&mut page, &rows[0]);
            page.into_text()
        };
        assert_eq!(
            text(30, 8),
            "A     a name of many words\n      that does not fit into\n      one line +12\nLONG  b\n"
        );
        assert!(text(60, 8).starts_with("A "), "{}", text(60, 8));
        assert!(text(60, 8).contains("LONG\n"), "{}", text(60, 8));
        assert!(text(60, 56).contains("\nLONG  b\n"), "{}", text(60, 56));
    }
}
