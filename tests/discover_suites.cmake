# Run by ctest when it starts: one test for each suite that `program` lists.

if(NOT EXISTS "${program}")
  add_test("${prefix}${part}_not_built" "${program}")
  set_tests_properties("${prefix}${part}_not_built" PROPERTIES LABELS ${part})
  return()
endif()

execute_process(
  COMMAND "${program}" --gtest_list_tests
  OUTPUT_VARIABLE listing
  RESULT_VARIABLE status
  TIMEOUT 60)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${program} cannot list its tests: ${status}\n${listing}")
endif()

# Suites stand at the beginning of a line, tests are indented: "Suite.\n  Test\n".
string(REGEX MATCHALL "(^|\n)[A-Za-z0-9_/]+\\.[ \n]" suites "${listing}")
foreach(suite ${suites})
  string(REGEX REPLACE "[. \n]" "" suite "${suite}")
  set(name "${prefix}${part}.${suite}")
  add_test("${name}" "${program}" "--gtest_filter=${suite}.*")
  set_tests_properties("${name}" PROPERTIES
    LABELS ${part}
    TIMEOUT ${timeout}
    RUN_SERIAL ${serial}
    ENVIRONMENT "${environment}"
    # Skipped is a suite in which nothing passed, nothing failed and something was skipped.
    SKIP_REGULAR_EXPRESSION "\\[  PASSED  \\] 0 tests\\.\n\\[  SKIPPED \\] [^\n]*\n(\\[  SKIPPED \\] [^\n]*\n)+$")
endforeach()
