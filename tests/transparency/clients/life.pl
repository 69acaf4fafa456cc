# The usual life of a catalogue, with Search::Elasticsearch as Koha uses it: `perl life.pl CLIENT URL INDEX`.
use strict;
use warnings;
use utf8;
use Search::Elasticsearch;

my ($flavour, $url, $index) = @ARGV;
binmode STDOUT, ':utf8';
my $client = Search::Elasticsearch->new(client => $flavour, nodes => [$url]);

sub show { my ($step, @values) = @_; print join(' ', $step, @values), "\n" }

show('info', $client->info->{version}{number});
$client->indices->delete(index => $index, ignore => 404);
my $mappings = { properties => { title => { type => 'text' }, year => { type => 'integer' } } };
show('create', $client->indices->create(index => $index, body => { mappings => $mappings })->{index});
my $first = { title => 'The whale, 鯨', year => 1851 };
show('index', $client->index(index => $index, id => 1, body => $first)->{result});
show('update', $client->update(index => $index, id => 1, body => { doc => { year => 1852 } })->{result});
my $source = $client->get(index => $index, id => 1)->{_source};
show('get', $source->{title}, $source->{year});
my $bulk = $client->bulk_helper(index => $index);
$bulk->index({ id => $_, source => { title => "Volume $_ of whales", year => 1900 + $_ } }) for 2 .. 59;
$bulk->flush;
$client->indices->refresh(index => $index);
my $query = { query => { match => { title => 'whales' } }, sort => ['year'] };
my $found = $client->search(index => $index, body => $query);
show('search', $found->{hits}{total}{value}, map { $_->{_id} } @{ $found->{hits}{hits} });
my $many = $client->msearch(body => [{ index => $index }, $query, { index => $index }, { size => 0 }]);
show('msearch', map { $_->{hits}{total}{value} } @{ $many->{responses} });
my $scroll = $client->scroll_helper(index => $index, size => 20, body => { sort => ['year'] });
my @ids;
while (my $hit = $scroll->next) { push @ids, $hit->{_id} }
show('scroll', @ids);
show('count', $client->count(index => $index)->{count});
my $pit = $client->open_point_in_time(index => $index, keep_alive => '1m')->{id};
my $held = { size => 3, sort => ['year'], pit => { id => $pit, keep_alive => '1m' } };
show('pit', map { $_->{_id} } @{ $client->search(body => $held)->{hits}{hits} });
show('close pit', $client->close_point_in_time(body => { id => $pit })->{succeeded} ? 'yes' : 'no');
my $missing = $client->get(index => $index, id => 'none', ignore => 404);
show('missing', $missing && $missing->{found} ? 'found' : 'none');
show('delete', $client->delete(index => $index, id => 1)->{result});
$client->indices->delete(index => $index);
show('done');
