//! Extracts the features of a recording with a trained model, for use in NumPy.
//!
//! `cargo run --release --example features -- MODEL RECORDING OUT` writes OUT/<name>.npy, a float32 array (frames, dimensions), which
//! `numpy.load("OUT/<name>.npy")` reads. MODEL is a run or model directory, `hf:owner/name`, or a CPC_audio checkpoint.

#![allow(clippy::print_stdout)]

use cpc::error::{Error, Result};
use cpc::features::FeatureSet;
use cpc::kinds::ExtractRequest;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, recording, out] = arguments.as_slice() else {
        return Err(Error::usage("three arguments are needed", "give MODEL, RECORDING and OUT"));
    };
    let model = cpc::open(model)?;
    cpc::extract(&*model, &ExtractRequest::new(vec![recording.into()], out))?;

    // Read the same features back.
    let features = FeatureSet::open(out.as_ref(), None)?;
    let mut rows = Vec::new();
    for (i, utterance) in features.utterances().iter().enumerate() {
        features.read(i, &mut rows)?; // (frames, dimensions), row-major
        let mean = rows.iter().sum::<f32>() / rows.len() as f32;
        println!("{}: {} frames of {} dimensions, mean {mean:.4}", utterance.id, utterance.frames, features.dim());
    }
    Ok(())
}
