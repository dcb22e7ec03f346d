//! The lines straight into a Parquet file.

use std::fs::File;
use std::path::Path;

use polars::prelude::{ParquetCompression, ParquetWriter};

use super::{Retailer, RetailerWorld, draw};
use crate::error::Result;
use crate::whole_file::written_whole;

impl Retailer {
    /// Draws the retailer and writes its lines to a Parquet file as they come, a row group a part: as [`Retailer::draw_in_parts`]. The
    /// file is written beside its place and put there once it is whole.
    ///
    /// # Errors
    /// As [`Retailer::draw`], and when the file cannot be written.
    pub fn draw_to_parquet(&self, path: impl AsRef<Path>) -> Result<RetailerWorld> {
        written_whole(path.as_ref(), |beside| self.write_parquet(beside))
    }

    fn write_parquet(&self, path: &Path) -> Result<RetailerWorld> {
        let schema = draw::no_lines()?.schema().clone();
        let mut writer = ParquetWriter::new(File::create(path)?).with_compression(ParquetCompression::Uncompressed).batched(&schema)?;
        let world = self.draw_in_parts(|frame| Ok(writer.write_batch(&frame)?))?;
        writer.finish()?;
        Ok(world)
    }
}
