//! embed WEIGHTS IMAGE: prints the embedding of one image, a number a line.
use std::ffi::{c_char, c_int, c_void, CStr, CString};
use std::{env, fs, process};

/// The part of swav.h that is used here.
mod ffi {
    use super::*;

    #[repr(C)]
    pub struct NetworkConfig {
        pub depth: i32,
        pub width: i32,
        pub base_width: i32,
        pub stem: c_int,
        pub channels: i32,
        pub hidden: i32,
        pub dim: i32,
        pub head_count: i32,
        pub prototypes: [i32; 8],
        pub plain_head: bool,
    }

    #[repr(C)]
    pub struct NetworkInfo {
        pub config: NetworkConfig,
        pub feature_dim: i32,
        pub parameter_count: i64,
        pub tensor_count: i64,
    }

    pub const OUTPUT_EMBEDDINGS: c_int = 1;

    extern "C" {
        pub fn swav_error_message() -> *const c_char;
        pub fn swav_network_open(
            path: *const c_char, options: *const c_void, network: *mut *mut c_void, report: *mut c_void,
        ) -> c_int;
        pub fn swav_network_describe(network: *const c_void, info: *mut NetworkInfo) -> c_int;
        pub fn swav_network_embed_bytes(
            network: *mut c_void, bytes: *const c_void, size: usize, crop_size: i32, output: c_int, result: *mut f32,
        ) -> c_int;
        pub fn swav_network_destroy(network: *mut c_void);
    }
}

fn check(status: c_int) -> Result<(), String> {
    if status == 0 {
        return Ok(());
    }
    // The message is this thread's until its next failing call.
    Err(unsafe { CStr::from_ptr(ffi::swav_error_message()) }.to_string_lossy().into_owned())
}

struct Network {
    handle: *mut c_void,
    dim: usize,
}

impl Network {
    fn open(path: &str) -> Result<Network, String> {
        let path = CString::new(path).map_err(|error| error.to_string())?;
        let mut network = Network { handle: std::ptr::null_mut(), dim: 0 };
        let mut info = std::mem::MaybeUninit::<ffi::NetworkInfo>::uninit();
        unsafe {
            check(ffi::swav_network_open(path.as_ptr(), std::ptr::null(), &mut network.handle, std::ptr::null_mut()))?;
            check(ffi::swav_network_describe(network.handle, info.as_mut_ptr()))?;
            network.dim = info.assume_init().config.dim as usize;
        }
        Ok(network)
    }

    /// Of an encoded image, at the network's own input size.
    fn embed(&self, image: &[u8]) -> Result<Vec<f32>, String> {
        let mut embedding = vec![0f32; self.dim];
        check(unsafe {
            ffi::swav_network_embed_bytes(
                self.handle, image.as_ptr().cast(), image.len(), 0, ffi::OUTPUT_EMBEDDINGS, embedding.as_mut_ptr(),
            )
        })?;
        Ok(embedding)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        unsafe { ffi::swav_network_destroy(self.handle) }
    }
}

fn run(weights: &str, image: &str) -> Result<(), String> {
    let bytes = fs::read(image).map_err(|error| format!("{image}: {error}"))?;
    for number in Network::open(weights)?.embed(&bytes)? {
        println!("{number:.9}");
    }
    Ok(())
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [weights, image] = arguments.as_slice() else {
        eprintln!("usage: embed WEIGHTS IMAGE");
        process::exit(64);
    };
    if let Err(message) = run(weights, image) {
        eprintln!("embed: {message}");
        process::exit(1);
    }
}
