//! The command `cpc`.

fn main() -> std::process::ExitCode {
    cpc::command::main()
}
