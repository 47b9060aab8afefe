;; Opens stderr in its first call and keeps it, as language runtimes do. Writes the url to it in every call, and traps
;; when the url begins with `!`.
;; import wasi:cli/stderr@0.2.0;
;; import wasi:io/streams@0.2.0;
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (import "wasi:cli/stderr@0.2.0" "get-stderr" (func $get-stderr (result i32)))
  (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (global $stderr (mut i32) (i32.const -1))
  (global $free (mut i32) (i32.const 1024))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (global.set $free (i32.add (global.get $free) (local.get 3)))
    (i32.sub (global.get $free) (local.get 3)))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (if (i32.eq (global.get $stderr) (i32.const -1)) (then (global.set $stderr (call $get-stderr))))
    (call $write (global.get $stderr) (local.get $url) (local.get $url-len) (i32.const 512))
    (if (i32.eq (i32.load8_u (local.get $url)) (i32.const 0x21)) (then (unreachable)))
    (i32.const 0)))
