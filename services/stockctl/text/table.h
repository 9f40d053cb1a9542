#pragma once

#include <cstddef>
#include <map>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "stockctl/text/terminal.h"

namespace stockctl {

// Rows under a line of column names, aligned. Where the terminal is too narrow, the columns that
// may shrink do, widest first; elsewhere nothing is ever cut.
class Table {
 public:
  enum class Align { kLeft, kRight };

  struct Column {
    std::string name;
    Align align = Align::kLeft;
    bool shrinks = false;
  };

  struct Cell {
    // NOLINTNEXTLINE(google-explicit-constructor): most cells are just text.
    Cell(std::string cell_text, Style cell_style = Style::kPlain)
        : text(std::move(cell_text)), style(cell_style) {}

    std::string text;
    Style style;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // One cell per column. What is not printable is replaced.
  void add(std::vector<Cell> row);
  // One more line under the row that was added last, across the columns.
  void note(std::string_view text, Style style = Style::kDim);
  bool empty() const { return rows_.empty(); }

  void print(std::ostream& out, const Terminal& terminal) const;

 private:
  std::vector<std::size_t> widths(const Terminal& terminal) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
  // By the number of the row above.
  std::multimap<std::size_t, Cell> notes_;
};

}  // namespace stockctl
