fn main() -> std::process::ExitCode {
    devdb::cli::main()
}
