#include <iostream>

#include "stockctl/cli/command_line.h"

int main(int argc, char** argv) { return stockctl::run(argc, argv, std::cout, std::cerr); }
