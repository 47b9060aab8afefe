;; Is refused memory, gets over it, and then writes to stderr for ever.
;; outcome: fails host-calls
;; import wasi:cli/stderr@0.2.0;
;; import wasi:io/streams@0.2.0;
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (import "wasi:cli/stderr@0.2.0" "get-stderr" (func $get-stderr (result i32)))
  (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (local $stderr i32)
    (drop (memory.grow (i32.const 65000)))
    (local.set $stderr (call $get-stderr))
    (loop $again
      (call $write (local.get $stderr) (i32.const 1024) (i32.const 16) (i32.const 512))
      (br $again))
    (i32.const 0)))
