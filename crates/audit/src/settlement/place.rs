//! Which row may follow which.

use std::fmt;

/// Where in a report the reader stands: behind a row of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Start,
    ReportHeader,
    FileHeader,
    SectionHeader,
    /// Behind the column header or a body row.
    Body,
    SectionFooter,
    SectionCount,
    ReportFooter,
    ReportCount,
    FileFooter,
}

/// The kinds of rows, as the first field names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowType {
    ReportHeader,
    FileHeader,
    SectionHeader,
    ColumnHeader,
    SectionBody,
    SectionFooter,
    SectionCount,
    ReportFooter,
    ReportCount,
    FileFooter,
}

impl RowType {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "RH" => Self::ReportHeader,
            "FH" => Self::FileHeader,
            "SH" => Self::SectionHeader,
            "CH" => Self::ColumnHeader,
            "SB" => Self::SectionBody,
            "SF" => Self::SectionFooter,
            "SC" => Self::SectionCount,
            "RF" => Self::ReportFooter,
            "RC" => Self::ReportCount,
            "FF" => Self::FileFooter,
            _ => return None,
        })
    }
}

impl Place {
    /// Where it stands behind a row of this kind; none where such a row cannot stand here.
    pub(super) fn step(self, row: RowType) -> Option<Self> {
        Some(match (self, row) {
            (Self::Start, RowType::ReportHeader) => Self::ReportHeader,
            (Self::ReportHeader, RowType::FileHeader) => Self::FileHeader,
            (Self::FileHeader | Self::SectionCount, RowType::SectionHeader) => Self::SectionHeader,
            (Self::SectionHeader, RowType::ColumnHeader) | (Self::Body, RowType::SectionBody) => Self::Body,
            // An account that had no transactions has no columns either.
            (Self::SectionHeader | Self::Body | Self::SectionFooter, RowType::SectionFooter) => {
                Self::SectionFooter
            }
            (Self::SectionHeader | Self::Body | Self::SectionFooter, RowType::SectionCount) => {
                Self::SectionCount
            }
            (Self::SectionCount | Self::ReportFooter, RowType::ReportFooter) => Self::ReportFooter,
            (Self::SectionCount | Self::ReportFooter, RowType::ReportCount) => Self::ReportCount,
            (Self::SectionCount | Self::ReportCount, RowType::FileFooter) => Self::FileFooter,
            _ => return None,
        })
    }
}

/// What may follow, for whoever has to mend the file.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "the RH row of a settlement report is expected",
            Self::ReportHeader => "an FH row is expected",
            Self::FileHeader => "an SH row is expected",
            Self::SectionHeader => "a CH row, or the section's footer, is expected",
            Self::Body => "an SB row, or the section's footer (SF, SC), is expected",
            Self::SectionFooter => "an SF or SC row is expected",
            Self::SectionCount => "another section (SH), or the report's footer (RF, RC), is expected",
            Self::ReportFooter => "an RF or RC row is expected",
            Self::ReportCount => "the FF row is expected",
            Self::FileFooter => "nothing is expected behind the FF row",
        })
    }
}
