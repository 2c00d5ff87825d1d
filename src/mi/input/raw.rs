//! Arrays as stored in files: bytes by rows or by columns, of one of many kinds of numbers.

use crate::error::{Error, Result};
use crate::mi::input::column::{Cells, Column};
use half::{bf16, f16};
use std::fmt::Display;

/// The element type of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueKind {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    Bf16,
    F32,
    F64,
    /// Text of the given number of bytes, padded with zeros.
    Bytes(usize),
    /// Text of the given number of four-byte characters, padded with zeros.
    Characters(usize),
}

impl ValueKind {
    /// The number of bytes of one element.
    fn size(self) -> usize {
        match self {
            ValueKind::Bool | ValueKind::I8 | ValueKind::U8 => 1,
            ValueKind::I16 | ValueKind::U16 | ValueKind::F16 | ValueKind::Bf16 => 2,
            ValueKind::I32 | ValueKind::U32 | ValueKind::F32 => 4,
            ValueKind::I64 | ValueKind::U64 | ValueKind::F64 => 8,
            ValueKind::Bytes(n) => n,
            ValueKind::Characters(n) => n.saturating_mul(4),
        }
    }
}

/// How an array is laid out in its bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    kind: ValueKind,
    big_endian: bool,
    by_columns: bool,
    /// n.
    rows: usize,
    /// d; 1 for a one-dimensional array.
    pub width: usize,
}

impl Layout {
    /// An array of shape (n) or (n, d), in little-endian order and by rows; `place` names it in messages.
    ///
    /// # Errors
    /// It has no dimension or more than two, or no rows, or no columns.
    pub(super) fn new(place: &str, kind: ValueKind, shape: &[usize]) -> Result<Layout> {
        let (rows, width) = match *shape {
            [rows] => (rows, 1),
            [rows, width] => (rows, width),
            _ => {
                let what = format!("{place} has the shape {shape:?}; X and Y are (rows) or (rows, columns)");
                return Err(Error::failed(what, "reshape it, in numpy with x.reshape(len(x), -1)"));
            }
        };
        if rows == 0 || width == 0 {
            let lack = if rows == 0 { "rows" } else { "columns" };
            return Err(Error::failed(
                format!("{place} has no {lack}: its shape is {shape:?}"),
                "give an array that is not empty",
            ));
        }
        Ok(Layout { kind, big_endian: false, by_columns: false, rows, width })
    }

    /// The same layout with the most significant byte first.
    pub(super) fn big_endian(self, yes: bool) -> Layout {
        Layout { big_endian: yes, ..self }
    }

    /// The same layout, column-major.
    pub(super) fn by_columns(self, yes: bool) -> Layout {
        Layout { by_columns: yes, ..self }
    }

    /// The number of bytes of the whole array, if it does not overflow.
    pub(super) fn size(&self) -> Option<usize> {
        self.rows.checked_mul(self.width)?.checked_mul(self.kind.size())
    }

    /// All columns: `name`, or `name.1`, `name.2` and so on. There are [`Layout::size`] bytes.
    pub(super) fn columns(&self, bytes: &[u8], name: &str, labels: bool) -> Vec<Column> {
        let name = |j| if self.width == 1 { name.to_string() } else { format!("{name}.{}", j + 1) };
        (0..self.width).map(|j| Column { name: name(j), cells: self.column(bytes, j, labels) }).collect()
    }

    /// Column `j`, from 0. There are [`Layout::size`] bytes.
    pub(super) fn column(&self, bytes: &[u8], j: usize, labels: bool) -> Cells {
        let mut cells = Cells::new(labels);
        let (into, size) = (&mut cells, self.kind.size());
        let of = |row: usize| {
            let at = if self.by_columns { j * self.rows + row } else { row * self.width + j };
            &bytes[at * size..][..size]
        };
        match self.kind {
            ValueKind::Bool => self.each(of, into, |[b]: [u8; 1]| b != 0, |v| f64::from(u8::from(v))),
            ValueKind::I8 => self.each(of, into, i8::from_le_bytes, f64::from),
            ValueKind::I16 => self.each(of, into, i16::from_le_bytes, f64::from),
            ValueKind::I32 => self.each(of, into, i32::from_le_bytes, f64::from),
            ValueKind::I64 => self.each(of, into, i64::from_le_bytes, |v| v as f64),
            ValueKind::U8 => self.each(of, into, u8::from_le_bytes, f64::from),
            ValueKind::U16 => self.each(of, into, u16::from_le_bytes, f64::from),
            ValueKind::U32 => self.each(of, into, u32::from_le_bytes, f64::from),
            ValueKind::U64 => self.each(of, into, u64::from_le_bytes, |v| v as f64),
            ValueKind::F16 => self.each(of, into, f16::from_le_bytes, f64::from),
            ValueKind::Bf16 => self.each(of, into, bf16::from_le_bytes, f64::from),
            ValueKind::F32 => self.each(of, into, f32::from_le_bytes, f64::from),
            ValueKind::F64 => self.each(of, into, f64::from_le_bytes, |v| v),
            ValueKind::Bytes(_) => (0..self.rows).for_each(|row| {
                into.push_text(String::from_utf8_lossy(of(row)).trim_end_matches('\0'));
            }),
            ValueKind::Characters(_) => (0..self.rows).for_each(|row| {
                let character = |b: &[u8]| {
                    let code = self.number(b, u32::from_le_bytes);
                    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
                };
                let text: String = of(row).chunks_exact(4).map(character).collect();
                into.push_text(text.trim_end_matches('\0'));
            }),
        }
        cells
    }

    /// Adds every element of a column.
    fn each<'a, const N: usize, T: Display + Copy>(
        &self,
        of: impl Fn(usize) -> &'a [u8],
        cells: &mut Cells,
        from: fn([u8; N]) -> T,
        number: fn(T) -> f64,
    ) {
        for row in 0..self.rows {
            let value = self.number(of(row), from);
            cells.push(value, number(value));
        }
    }

    fn number<const N: usize, T>(&self, bytes: &[u8], from: fn([u8; N]) -> T) -> T {
        let mut ordered = [0; N];
        ordered.copy_from_slice(bytes);
        if self.big_endian {
            ordered.reverse();
        }
        from(ordered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(layout: Layout, bytes: &[u8], j: usize) -> Vec<f64> {
        let Cells::Numbers { values, .. } = layout.column(bytes, j, false) else { panic!("labels") };
        values
    }

    #[test]
    fn every_kind_is_read_in_both_orders_of_bytes() {
        let check = |kind, bytes: &[u8], expected: f64| {
            let layout = Layout::new("a", kind, &[1]).unwrap();
            assert_eq!(layout.size(), Some(bytes.len()));
            assert_eq!(values(layout, bytes, 0), [expected], "{kind:?}");
            let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
            assert_eq!(values(layout.big_endian(true), &reversed, 0), [expected], "{kind:?}");
        };
        check(ValueKind::Bool, &[1], 1.0);
        check(ValueKind::I8, &[0xfe], -2.0);
        check(ValueKind::U8, &[0xfe], 254.0);
        check(ValueKind::I16, &(-300i16).to_le_bytes(), -300.0);
        check(ValueKind::U16, &60_000u16.to_le_bytes(), 60_000.0);
        check(ValueKind::I32, &(-70_000i32).to_le_bytes(), -70_000.0);
        check(ValueKind::U32, &4_000_000_000u32.to_le_bytes(), 4e9);
        check(ValueKind::I64, &(-5_000_000_000i64).to_le_bytes(), -5e9);
        check(ValueKind::U64, &(1u64 << 60).to_le_bytes(), (1u64 << 60) as f64);
        check(ValueKind::F16, &f16::from_f32(0.5).to_le_bytes(), 0.5);
        check(ValueKind::Bf16, &bf16::from_f32(-1.5).to_le_bytes(), -1.5);
        check(ValueKind::F32, &0.25f32.to_le_bytes(), 0.25);
        check(ValueKind::F64, &0.1f64.to_le_bytes(), 0.1);
    }

    #[test]
    fn rows_or_columns_come_first() {
        let layout = Layout::new("a", ValueKind::U8, &[2, 3]).unwrap();
        let bytes = [1, 2, 3, 4, 5, 6];
        assert_eq!(values(layout, &bytes, 1), [2.0, 5.0]);
        assert_eq!(values(layout.by_columns(true), &bytes, 1), [3.0, 4.0]);
        let names: Vec<String> = layout.columns(&bytes, "a", true).into_iter().map(|c| c.name).collect();
        assert_eq!(names, ["a.1", "a.2", "a.3"]);
    }

    #[test]
    fn text_loses_the_zeros_behind_it() {
        let of = |kind, bytes: &[u8], big| {
            let layout = Layout::new("a", kind, &[2]).unwrap().big_endian(big);
            let Cells::Labels(labels) = layout.column(bytes, 0, true) else { panic!("numbers") };
            labels
        };
        assert_eq!(of(ValueKind::Bytes(3), b"redno\0", false), ["red", "no"]);
        let wide: Vec<u8> = ['é', 'a', 'b', '\0'].iter().flat_map(|c| (*c as u32).to_be_bytes()).collect();
        assert_eq!(of(ValueKind::Characters(2), &wide, true), ["éa", "b"]);
    }

    #[test]
    fn shapes_that_are_no_table_are_refused() {
        for shape in [&[][..], &[2, 3, 4]] {
            let e = Layout::new("a.npy", ValueKind::F32, shape).unwrap_err().to_string();
            assert!(e.starts_with(&format!("a.npy has the shape {shape:?}")), "{e}");
        }
        assert!(Layout::new("a", ValueKind::F32, &[0, 2]).unwrap_err().to_string().contains("no rows"));
        assert!(Layout::new("a", ValueKind::F32, &[2, 0]).unwrap_err().to_string().contains("no columns"));
    }
}
