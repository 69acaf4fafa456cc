// The usual life of a catalogue, with opensearch-js or elasticsearch-js 7 and 8: `node life.js PACKAGE VERSION URL INDEX`.
const [name, version, url, index] = process.argv.slice(2)
const { Client } = require(name)
const ours = name.startsWith('@opensearch')
const client = new Client({ node: url, compression: ours ? 'gzip' : true })
const flat = !ours && version.startsWith('8') // its methods take no `body`
const show = (step, value) => console.log(step, JSON.stringify(value))
const plain = (answer) => (answer && answer.statusCode ? answer.body : answer) // elasticsearch-js 8 gives the body alone
const call = async (method, words, body) => plain(await method(flat ? { ...words, ...body } : { ...words, body }))

async function life () {
  show('info', plain(await client.info()).version.number)
  if (plain(await client.indices.exists({ index }))) await client.indices.delete({ index })
  const mappings = { properties: { title: { type: 'text' }, year: { type: 'integer' } } }
  show('create', (await call((w) => client.indices.create(w), { index }, { mappings })).acknowledged)
  show('exists', plain(await client.indices.exists({ index })))
  const document = { title: 'The whale, 鯨', year: 1851 }
  show('index', plain(await client.index({ index, id: '1', ...(flat ? { document } : { body: document }) })).result)
  show('update', (await call((w) => client.update(w), { index, id: '1' }, { doc: { year: 1852 } })).result)
  show('get', plain(await client.get({ index, id: '1' }))._source)
  const lines = []
  for (let n = 2; n < 60; n++) {
    lines.push({ index: { _index: index, _id: String(n) } }, { title: `Volume ${n} of whales`, year: 1900 + n })
  }
  show('bulk', plain(await client.bulk({ refresh: true, ...(flat ? { operations: lines } : { body: lines }) })).errors)
  const query = { query: { match: { title: 'whales' } }, sort: ['year'], aggs: { years: { stats: { field: 'year' } } } }
  const found = await call((w) => client.search(w), { index }, query)
  show('search', [found.hits.total, found.hits.hits.map((hit) => hit._id), found.aggregations])
  const searches = [{ index }, query, { index }, { query: { term: { year: 1852 } } }]
  const many = plain(await client.msearch(flat ? { searches } : { body: searches }))
  show('msearch', many.responses.map((one) => one.hits.total.value))
  show('count', plain(await client.count({ index })).count)
  let page = plain(await client.search({ index, scroll: '1m', size: 20 }))
  let seen = 0
  while (page.hits.hits.length) {
    seen += page.hits.hits.length
    page = await call((w) => client.scroll(w), {}, { scroll_id: page._scroll_id, scroll: '1m' })
  }
  show('scroll', seen)
  show('clear', (await call((w) => client.clearScroll(w), {}, { scroll_id: page._scroll_id })).succeeded)
  const opened = plain(await (ours ? client.createPit : client.openPointInTime).call(client, { index, keep_alive: '1m' }))
  const pit = { id: ours ? opened.pit_id : opened.id, keep_alive: '1m' }
  const held = await call((w) => client.search(w), {}, { size: 3, sort: ['year'], pit })
  show('pit', held.hits.hits.map((hit) => hit._id))
  const closed = ours
    ? (await call((w) => client.deletePit(w), {}, { pit_id: [pit.id] })).pits[0].successful
    : (await call((w) => client.closePointInTime(w), {}, { id: pit.id })).succeeded
  show('close pit', closed)
  await client.get({ index, id: 'none' }).catch((error) => show('missing', error.meta.statusCode))
  show('delete', plain(await client.delete({ index, id: '1', refresh: true })).result)
  const old = { query: { range: { year: { gt: 1950 } } } }
  show('by query', (await call((w) => client.deleteByQuery(w), { index }, old)).deleted)
  show('drop', plain(await client.indices.delete({ index })).acknowledged)
  console.log('done')
}

life().then(() => process.exit(0), (error) => { console.error(String(error)); process.exit(1) })
