/** The items of an iteration, as an array. */
export async function all(iterable) {
  const items = []
  for await (const item of iterable) items.push(item)
  return items
}
