// Medians, spreads and ratios.

export function median(values) {
  const sorted = values.filter(value => typeof value === 'number').sort((a, b) => a - b)
  if (sorted.length === 0) return null
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Half the distance between the lowest and the highest value, as a part of the median. */
export function spread(values) {
  const middle = median(values)
  return middle ? (Math.max(...values) - Math.min(...values)) / 2 / middle : null
}

/** Median of the ratios within each round, because two measurements of one round share the state of the machine. Null if one is missing. */
export function ratio(over, under, pick) {
  if (!over || !under) return null
  const ratios = over.rounds.map((round, at) => {
    const [a, b] = [pick(round), pick(under.rounds[at] ?? {})]
    return a > 0 && b > 0 ? a / b : null
  })
  return median(ratios)
}

/** Links per second of a report. */
export const rate = ({ measured, seconds }) => measured / seconds
