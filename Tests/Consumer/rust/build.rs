// Links the installed library, as pkg-config knows it (PKG_CONFIG_PATH names an installation apart).
use std::process::Command;

fn main() {
    let found = Command::new("pkg-config").args(["--libs-only-L", "swav"]).output().expect("pkg-config is needed");
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    for folder in String::from_utf8_lossy(&found.stdout).split_whitespace().filter_map(|flag| flag.strip_prefix("-L")) {
        println!("cargo:rustc-link-search=native={folder}");
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
    }
    println!("cargo:rustc-link-lib=swav");
}
