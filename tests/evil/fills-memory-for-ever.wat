;; Fills 60 MiB for ever, each time with one instruction.
;; outcome: fails time
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (memory (export "memory") 960)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (loop $again
      (memory.fill (i32.const 0) (i32.const 1) (i32.const 62914560))
      (br $again))
    (i32.const 0)))
