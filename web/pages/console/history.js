/* What was told during the last minute, so that counters become rates. */

const KEPT_MS = 60_000;
// Of a shorter span a rate is mostly noise.
const RATE_MS = 5_000;
// A front that was not met for so long is gone, or has another name since it was started anew.
const GONE_MS = 60_000;

/** One counter as it grows. */
export class Counter {
  #seen = [];

  know(value, now) {
    // What was started anew counts anew.
    if (value < (this.#seen.at(-1)?.value ?? 0)) this.#seen = [];
    this.#seen.push({ value, now });
    // The last one before the minute stays, to count from.
    while (this.#seen.length > 1 && this.#seen[1].now <= now - KEPT_MS) this.#seen.shift();
  }

  /** By how much it grew during the last minute, as far as that is known. */
  get grown() {
    return this.#seen.length ? this.#seen.at(-1).value - this.#seen[0].value : 0;
  }

  /** By how much it grows in a second. */
  get rate() {
    const last = this.#seen.at(-1);
    const from = this.#seen.findLast(({ now }) => now <= last.now - RATE_MS) ?? this.#seen[0];
    return last.now > from.now ? ((last.value - from.value) * 1000) / (last.now - from.now) : 0;
  }
}

/** A value over the last minute, for a line. */
export class Course {
  #seen = [];

  know(value, now) {
    this.#seen.push({ value, now });
    while (this.#seen[0].now < now - KEPT_MS) this.#seen.shift();
  }

  /** Points of a polyline in a box of that size, the present at its right side. */
  points(width, height) {
    const most = Math.max(1, ...this.#seen.map(({ value }) => value));
    const end = this.#seen.at(-1)?.now ?? 0;
    return this.#seen
      .map(({ value, now }) => {
        const x = width * (1 - (end - now) / KEPT_MS);
        return `${x.toFixed(1)},${(height * (1 - value / most)).toFixed(1)}`;
      })
      .join(" ");
  }
}

/** The replies of all fronts: each counts for itself, and each look may meet another one. */
export class Replies {
  #fronts = new Map();

  know(front, replies, now) {
    const known = this.#fronts.get(front) ?? { counters: new Map() };
    this.#fronts.set(front, known);
    known.now = now;
    for (const { count, ...labels } of replies) {
      const key = JSON.stringify(labels);
      if (!known.counters.has(key)) {
        known.counters.set(key, { labels, counter: new Counter(), count: 0 });
        // What appears while somebody looks began at nothing.
        if (known.looked) known.counters.get(key).counter.know(0, now);
      }
      const entry = known.counters.get(key);
      entry.count = count;
      entry.counter.know(count, now);
    }
    known.looked = true;
    for (const [name, { now: met }] of this.#fronts) {
      if (met < now - GONE_MS) this.#fronts.delete(name);
    }
  }

  get fronts() {
    return this.#fronts.size;
  }

  /** `{labels, count, minute}` of each kind of reply, the most frequent first. */
  get rows() {
    const rows = new Map();
    for (const { counters } of this.#fronts.values()) {
      for (const [key, { labels, count, counter }] of counters) {
        const row = rows.get(key) ?? { labels, count: 0, minute: 0 };
        row.count += count;
        row.minute += counter.grown;
        rows.set(key, row);
      }
    }
    return [...rows.values()].sort((one, other) => other.count - one.count);
  }
}
