# stock_tests(PART [TIMEOUT SECONDS] [SERIAL])
#
# Makes the *_test.cc files of this folder one program, PART_tests, and each test suite in it one ctest
# test, labelled PART. TIMEOUT is that of a suite. SERIAL: nothing else runs beside it.

set(stock_test_rooms
  domain clock admission layers ledger drift memory redis postgres flags telemetry rpc admin config)

# Tests of a sanitizer or of another compiler are told apart from the usual ones by their names.
set(stock_test_prefix "")
if(STOCK_SANITIZE MATCHES thread)
  set(stock_test_prefix "tsan.")
elseif(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  set(stock_test_prefix "clang.")
endif()

# gRPC, Abseil and the other packages are not instrumented.
set(stock_test_environment
  "ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1"
  "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1"
  "LSAN_OPTIONS=report_objects=1:suppressions=${CMAKE_CURRENT_SOURCE_DIR}/lsan.supp"
  "TSAN_OPTIONS=suppressions=${CMAKE_CURRENT_SOURCE_DIR}/tsan.supp:ignore_noninstrumented_modules=1:second_deadlock_stack=1:history_size=4")

function(stock_tests part)
  cmake_parse_arguments(PARSE_ARGV 1 arg "SERIAL" "TIMEOUT" "")
  file(GLOB sources CONFIGURE_DEPENDS *_test.cc)
  if(NOT sources)
    return()
  endif()

  set(program ${part}_tests)
  add_executable(${program} ${sources})
  # GoogleTest takes seconds to read.
  target_precompile_headers(${program} PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${program} PRIVATE -fpch-preprocess)  # for ccache
  endif()
  target_link_libraries(${program} PRIVATE stock::test_support GTest::gmock_main)
  foreach(library ${stock_test_rooms})
    if(TARGET stock::${library})
      target_link_libraries(${program} PRIVATE stock::${library})
    endif()
  endforeach()
  if(TARGET stockctl_lib)
    target_link_libraries(${program} PRIVATE stockctl_lib)
  endif()
  if(TARGET analytics_lib)
    target_link_libraries(${program} PRIVATE analytics_lib)
  endif()
  foreach(binary stockd analytics)
    if(TARGET ${binary})
      add_dependencies(${program} ${binary})
    endif()
  endforeach()

  set(serial OFF)
  if(arg_SERIAL)
    set(serial ON)
  endif()
  set(include ${CMAKE_CURRENT_BINARY_DIR}/suites.cmake)
  file(GENERATE OUTPUT ${include} CONTENT "\
set(program [[$<TARGET_FILE:${program}>]])
set(part ${part})
set(prefix \"${stock_test_prefix}\")
set(timeout ${arg_TIMEOUT})
set(serial ${serial})
set(environment [[${stock_test_environment}]])
include([[${PROJECT_SOURCE_DIR}/tests/discover_suites.cmake]])
")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${include})
endfunction()
