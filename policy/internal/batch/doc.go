// SPDX-License-Identifier: Apache-2.0

// Package batch rewrites a rule so that one evaluation of OPA's answers it for many inputs.
// Beginning an evaluation takes OPA longer than most rules do; one over a thousand inputs
// begins once.
//
// # How it works
//
// The inputs are transposed. Each path that the rule can read is a column, and a row is one
// input:
//
//	drop contains "x" if walk(input.item.body, [_, "secret"])
//
// becomes, with columns = [["item", "body"]],
//
//	answers contains [row, "x"] if walk(input[0][row], [_, "secret"])
//
// where a column is an array of the rows' values, or an object of them where some have none.
// A body that does not begin by reading a column has `input[1][row]` before it, an array of
// true for each row. A rule with an else or a default, and every rule or function that it
// refers to and that reads the input, becomes a function of the row; a set becomes one that
// makes all of it. What does not read the input stays as it is.
//
// # Why the answers are the same
//
// A body runs for each row what it ran before, in the same order. What OPA would have left
// out for one input, because of an index or of an answer that it had already, may run for a
// batch, but nothing is left out that would have run: the query is to be evaluated without
// early exit, which depends on an order that the index of the rules as they were decides. So an error of one input is one of the
// batch, whose rows are then to be asked one by one; and a batch without an error has the
// answers that its rows would have had. A row with two values is a contradiction of its own,
// and to be asked by itself.
//
// What could be left out, or run in another order, is refused: `with`, comprehensions that
// OPA has an index for, two rules of the input in one expression, rules of the input behind a
// name that is computed, and objects whose keys are, other than the rule that is asked.
package batch
