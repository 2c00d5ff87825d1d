//! The program that computes a network's z and c in PyTorch, without cpc.

use crate::config::{EncoderKind, NormKind};
use crate::signal::Sizes;

const NETWORK: &str = include_str!("network.py.txt");
const CHANNEL_NORM: &str = include_str!("channel_norm.py.txt");

/// The program for a network of these sizes, with weights from `repo` on the hub or from a file; `values` says what the values of the
/// signal are, such as `from -1 to 1`. `None` if PyTorch has no such layers.
pub fn pytorch(sizes: &Sizes, values: &str, repo: Option<&str>) -> Option<String> {
    let (e, c) = (&sizes.encoder, &sizes.context);
    if e.kind == EncoderKind::Mel {
        return None; // its first layer is not one of PyTorch's
    }
    let (norm, class) = match e.norm {
        NormKind::Channel => (CHANNEL_NORM, "ChannelNorm"),
        NormKind::Batch => ("", "nn.BatchNorm1d"),
        NormKind::None => ("", "nn.Identity"),
    };
    let rnn = c.kind.torch_class()?;
    let (import, file) = match repo {
        Some(repo) => (
            "from huggingface_hub import hf_hub_download\n",
            format!("hf_hub_download(\"{repo}\", \"model.safetensors\")"),
        ),
        None => ("", "\"model.safetensors\"".into()),
    };
    let rate = sizes.rate;
    let (signal, x) = match sizes.channels {
        1 => (format!("samples):  # (batch, samples), mono, {rate} per second, {values}"), "samples.unsqueeze(1)"),
        n => (format!("samples):  # (batch, samples, {n}), {rate} per second, {values}"), "samples.transpose(1, 2)"),
    };
    let zeros = match e.zeros_before() {
        0 => String::new(),
        n => format!("        x = nn.functional.pad(x, ({n}, 0))\n"),
    };
    let length = rate.max(e.receptive_field() as f64).round();
    let second = match sizes.channels {
        1 => format!("1, {length}))  # one second of silence"),
        n => format!("1, {length}, {n}))"),
    };
    let marks = [
        ("<<import>>\n", format!("{import}\n")),
        ("<<norm>>", norm.into()),
        ("<<Norm>>", class.into()),
        ("<<channels>>", format!("{:?}", e.all_channels())),
        ("<<kernels>>", format!("{:?}", e.kernels)),
        ("<<strides>>", format!("{:?}", e.strides)),
        ("<<paddings>>", format!("{:?}", e.paddings)),
        ("<<inputs>>", sizes.channels.to_string()),
        ("<<zeros>>", zeros),
        ("<<signal>>", signal),
        ("<<x>>", x.into()),
        ("<<second>>", second),
        ("<<convolutions>>", e.kernels.len().to_string()),
        ("<<D>>", e.hidden_dim.to_string()),
        ("<<H>>", c.hidden_dim.to_string()),
        ("<<RNN>>", rnn.into()),
        ("<<layers>>", c.num_layers.to_string()),
        ("<<file>>", file),
    ];
    Some(marks.iter().fold(NETWORK.to_string(), |program, (mark, text)| program.replace(mark, text)))
}
