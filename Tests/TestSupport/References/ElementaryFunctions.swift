// ElementaryFunctions - the C library's exponential, logarithm and power under names that no vector kernel has.

internal import Foundation

func exponential(_ x: Double) -> Double { exp(x) }
func logarithm(_ x: Double) -> Double { log(x) }
func power(_ base: Double, _ exponent: Double) -> Double { pow(base, exponent) }
