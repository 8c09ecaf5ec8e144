"""Writes the phrase bank: phrases.tsv (group, phrase), beside this script.

usage: make.py

All words below were written for Sightline, so the bank has its licence. Phrases are combined within
lists whose members go together, so that each is English and can be seen: no list is multiplied with
one where a single pair would be nonsense.
"""

from itertools import product
from pathlib import Path

HERE = Path(__file__).parent


def words(text):
    """The entries of a list, separated by commas; line ends are spaces."""
    return [' '.join(entry.split()) for entry in text.split(',') if entry.strip()]


def a(noun):
    """With its article. A plural or a substance carries a `-` in front."""
    if noun.startswith('-'):
        return noun[1:]
    an = noun[0] in 'aeiou' and not noun.startswith(('uni', 'use', 'euro', 'one', 'ukulele'))
    return f'{"an" if an else "a"} {noun}'


def plural(noun):
    irregular = {
        'man': 'men', 'woman': 'women', 'child': 'children', 'person': 'people', 'mouse': 'mice',
        'goose': 'geese', 'sheep': 'sheep', 'deer': 'deer', 'fish': 'fish', 'knife': 'knives',
        'loaf': 'loaves', 'wolf': 'wolves', 'leaf': 'leaves',
    }
    head, _, last = noun.rpartition(' ')
    if last in irregular:
        last = irregular[last]
    elif last.endswith(('s', 'x', 'ch', 'sh')):
        last += 'es'
    elif last.endswith('y') and last[-2] not in 'aeiou':
        last = last[:-1] + 'ies'
    elif last.endswith(('man', 'woman')):
        last = last[:-2] + 'en'
    elif last in ('tomato', 'potato', 'buffalo'):
        last += 'es'
    else:
        last += 's'
    return f'{head} {last}'.strip()


BANK = {}


def add(group, phrases):
    BANK.setdefault(group, []).extend(phrases)


# -- animals ----------------------------------------------------------------------------------------

PETS = words('dog, puppy, cat, kitten')
DOGS = words('''black dog, white dog, brown dog, small white dog, large brown dog, black and white dog,
golden retriever, german shepherd, husky, poodle, dachshund, bulldog, corgi, greyhound, border collie,
labrador, terrier, beagle, dalmatian, chihuahua''')
CATS = words('black cat, white cat, tabby cat, ginger cat, grey cat, black and white cat, siamese cat')
FARM = words('cow, horse, sheep, goat, pig, donkey, lamb, calf, foal, llama, alpaca')
BIRDS = words('''bird, small bird, gull, pigeon, duck, goose, swan, owl, eagle, hawk, falcon, parrot,
sparrow, robin, crow, raven, heron, flamingo, pelican, penguin, peacock, stork, kingfisher,
woodpecker, hummingbird, puffin, vulture, chicken, rooster, turkey, ostrich, blue tit, toucan,
cockatoo, budgie, crane, egret, kestrel, magpie, goldfinch''')
WILD = words('''lion, lioness, tiger, leopard, cheetah, elephant, giraffe, zebra, rhinoceros,
hippopotamus, buffalo, bison, antelope, gazelle, deer, stag, moose, reindeer, bear, brown bear,
polar bear, panda, red panda, koala, kangaroo, wolf, fox, hedgehog, squirrel, rabbit, hare, badger,
raccoon, otter, beaver, monkey, baboon, chimpanzee, gorilla, orangutan, lemur, meerkat, camel, hyena,
wild boar, mountain goat, sloth, bat, mouse, rat, hamster, guinea pig, chipmunk, ferret''')
SEA = words('''fish, goldfish, clownfish, tropical fish, shark, ray, whale, dolphin, seal, sea lion,
walrus, octopus, jellyfish, starfish, seahorse, crab, lobster, shrimp, sea turtle, coral, sea urchin,
killer whale, squid''')
REPTILES = words('''snake, lizard, gecko, chameleon, iguana, tortoise, turtle, crocodile, alligator,
frog, toad, salamander, newt, tree frog''')
INSECTS = words('''butterfly, monarch butterfly, white butterfly, blue butterfly, moth, bee, bumblebee,
wasp, ant, beetle, ladybird, dragonfly, damselfly, grasshopper, praying mantis, fly, spider, snail,
slug, caterpillar, scorpion, centipede, cricket, cicada, mosquito, worm''')

add('animals', (a(x) for x in DOGS + CATS + PETS + FARM + BIRDS + WILD + SEA + REPTILES + INSECTS))
add('animals', (f'the head of {a(x)} seen from close' for x in FARM + WILD + words(
    'dog, cat, owl, eagle, parrot, swan, goose, ostrich, rooster, flamingo, pelican, lizard, tortoise')))
add('animals', (f'{a(x)} looking at the camera' for x in DOGS[:9] + CATS + PETS + FARM + WILD[:36] + words(
    'owl, frog, squirrel')))
add('animals', (f'{a(x)} {act}' for x, act in product(
    ['dog', 'puppy', 'brown dog', 'black dog', 'white dog', 'black and white dog', 'small dog'], words('''
running on a beach, running through grass, running in snow, running through water, jumping into a lake,
swimming in water, catching a frisbee, catching a ball, with a ball in its mouth,
with a stick in its mouth, lying on a sofa, lying on grass, sleeping on a bed, sitting in a car,
sitting on a beach, standing in snow, standing in shallow water, shaking off water, on a leash,
jumping over a hurdle, wearing a collar, digging in sand, with its tongue out'''))))
add('animals', (f'two dogs {act}' for act in words('''running on a beach, running through grass,
playing in snow, playing in water, fighting over a toy, playing on grass, lying on a sofa,
walking on a road, chasing a ball, sniffing each other''')))
add('animals', (f'three dogs {act}' for act in words('running on a beach, running through grass, playing in snow')))
add('animals', (f'{a(x)} {act}' for x, act in product(
    ['cat', 'kitten', 'black cat', 'white cat', 'tabby cat', 'ginger cat'], words('''
sleeping on a bed, sleeping on a sofa, lying on a windowsill, sitting on a chair, sitting on a wall,
looking out of a window, playing with a toy, in a box, lying in the sun, walking on grass,
drinking milk, hunting in a garden, climbing a tree, looking up'''))))
add('animals', (f'{a(x)} {act}' for x, act in product(
    words('cow, horse, sheep, goat, donkey, llama'), words('''grazing in a meadow, standing in a field,
behind a fence, on a hillside, in a stable, on a farm, in the snow, lying in the grass'''))))
add('animals', (f'a herd of {x} {where}' for x, where in product(
    words('cows, horses, sheep, goats, elephants, zebras, antelopes, buffaloes, deer, wild horses'),
    words('in a field, on a plain, by a river, crossing a road'))))
add('animals', (f'{a(x)} {act}' for x, act in product(
    words('horse, brown horse, white horse, black horse'),
    words('running in a field, pulling a carriage, with a rider, jumping over a fence, drinking water'))))
add('animals', (f'{a(x)} {act}' for x, act in product(
    words('bird, small bird, owl, eagle, crow, parrot, sparrow, robin, pigeon, hawk, kingfisher, magpie'),
    words('sitting on a branch, in flight, with spread wings, on a fence, in the snow'))))
add('animals', (f'{a(x)} {act}' for x, act in product(
    words('duck, swan, goose, gull, pelican, flamingo, heron, stork, egret'),
    words('swimming on a lake, standing in shallow water, in flight, taking off from water, on a shore'))))
add('animals', (f'a flock of {x} {act}' for x, act in product(
    words('birds, gulls, geese, pigeons, ducks, flamingos, crows, starlings'),
    words('in the sky, on water, on the ground'))))
add('animals', words('''birds on a wire, birds on a feeder, a bird in a cage, a bird in its nest, a nest with
eggs, ducklings on a pond, a swan with its young, chickens in a yard, penguins on ice, penguins on a
rock, a parrot on a shoulder, an owl in a tree hole, a peacock with its tail spread'''))
add('animals', (f'{a(x)} {where}' for x, where in product(
    words('lion, tiger, leopard, cheetah, elephant, giraffe, zebra, antelope, rhinoceros, buffalo'),
    words('in the savanna, in a zoo, at a waterhole, walking in tall grass, resting in the shade'))))
add('animals', (f'{a(x)} {where}' for x, where in product(
    words('bear, deer, fox, wolf, moose, wild boar, stag, hare, rabbit, squirrel, bison'),
    words('in a forest, in the snow, in a meadow, at the edge of a wood, crossing a road'))))
add('animals', (f'{a(x)} {where}' for x, where in product(
    words('monkey, gorilla, chimpanzee, orangutan, lemur, koala, panda, sloth, red panda'),
    words('in a tree, eating, with its young, in a zoo, sitting on the ground'))))
add('animals', (f'{a(x)} and its young' for x in words('''cow, horse, sheep, goat, elephant, giraffe,
zebra, lion, tiger, bear, deer, camel, kangaroo, whale, duck, cat, dog, fox, rhinoceros, seal''')))
add('animals', words('''a camel in the desert, a caravan of camels, a camel with two humps, a seal on a rock,
a seal on a beach, seals lying on the sand, a dolphin jumping out of the water, a whale breaching,
the tail of a whale, a shark under water, a school of fish, fish in an aquarium, fish on a coral reef,
a diver with a fish, a fish in a tank, a clownfish in an anemone, a jellyfish in dark water, a sea
turtle swimming under water, a turtle on a beach, a crab on sand, a crab on a rock, an octopus on the
sea floor, a starfish on the sand, coral and colourful fish, a frog on a leaf, a frog in a pond, a frog
on a lily pad, a lizard on a rock, a lizard on a wall, a snake in the grass, a snake on a branch, a
crocodile with its mouth open, a crocodile in a river, a tortoise in the grass, a chameleon on a
branch, a spider in its web, a spider web with dew, a bee on a flower, a bumblebee on a purple flower,
a bee on a yellow flower, bees on a honeycomb, a beehive, a butterfly on a flower, a butterfly on a
leaf, a butterfly with open wings, a dragonfly on a stem, a ladybird on a leaf, a caterpillar on a
leaf, ants on the ground, a grasshopper on grass, a snail on a leaf, a snail on a path, a beetle on
bark, a moth on a wall, a fly on a leaf, a praying mantis on a twig, a hedgehog in autumn leaves, a
squirrel with a nut, a squirrel on a tree trunk, a rabbit in the grass, a mouse eating grain, a hamster
in a cage, a guinea pig eating grass, a dog and a cat, a cat and a kitten, a puppy in a basket, kittens
in a basket, a cat with green eyes, a cat with blue eyes, a dog with a hat, a dog wearing a coat, a dog
on a boat, a dog in a basket, a sled pulled by dogs, dogs racing on a track, greyhounds racing, a dog
jumping through a hoop, a dog in an agility course, a horse race, a horse and a cart, a cow with horns,
a cow with a bell, a black and white cow, a brown cow, a highland cow, a flock of sheep on a road, a
shepherd with sheep, a sheep with black face, a pig in the mud, piglets with their mother, a goat on a
rock, an elephant bathing, an elephant with tusks, elephants at a waterhole, zebras on a plain, two
giraffes, a lion with a mane, a lion yawning, a tiger in water, a leopard in a tree, a polar bear on
ice, a bear catching fish, a panda eating bamboo, a kangaroo hopping, a bat hanging upside down'''))

# -- people -----------------------------------------------------------------------------------------

ONE = words('man, woman, boy, girl')
SOME = words('two men, two women, two boys, two girls, a group of people, two children')
ACTIVITIES = words('''riding a bicycle, running, walking on a beach, walking a dog, walking down a street,
reading a book, reading a newspaper, looking at a phone, talking on the phone, taking a photo,
working on a laptop, drinking coffee, eating, eating ice cream, cooking, washing dishes, painting,
drawing, writing, singing, dancing, playing the guitar, playing the piano, playing the violin,
playing the drums, swimming in a pool, swimming in the sea, jumping into water, surfing a wave,
skiing, snowboarding, ice skating, roller skating, skateboarding, climbing a rock, hiking in the
mountains, sitting on a bench, sitting on a sofa, sitting at a table, sitting on the grass, lying on
a beach, sleeping, waving, laughing, smiling, wearing a hat, wearing sunglasses, wearing a helmet,
carrying a backpack, holding an umbrella, standing on a rock, standing by a lake, standing in the
snow, looking out of a window, looking at the sea, riding a horse, rowing a boat, paddling a kayak,
fishing, playing football, playing basketball, playing tennis, throwing a ball, kicking a ball,
jumping in the air, climbing a tree, picking apples, working in a garden, buying fruit, waiting for a
train, crossing a street, riding a motorcycle, pushing a pram''')
NO_CHILD = {'drinking coffee', 'riding a motorcycle', 'pushing a pram', 'working on a laptop'}
NO_GROUP = {'climbing a tree', 'pushing a pram', 'riding a motorcycle', 'playing the piano',
            'playing the drums', 'taking a photo', 'looking at a phone', 'talking on the phone'}
add('activities', (f'{a(who)} {act}' for who, act in product(ONE, ACTIVITIES)
                   if not (who in ('boy', 'girl') and act in NO_CHILD)))
# Several people do most things with several things.
MANY_ACTS = {'riding a bicycle': 'riding bicycles', 'reading a book': 'reading books', 'walking a dog':
             'walking a dog', 'wearing a hat': 'wearing hats', 'wearing a helmet': 'wearing helmets',
             'carrying a backpack': 'carrying backpacks', 'riding a horse': 'riding horses',
             'playing the violin': 'playing violins', 'playing the guitar': 'playing guitars',
             'holding an umbrella': 'holding umbrellas', 'reading a newspaper': 'reading newspapers'}
add('activities', (f'{who} {MANY_ACTS.get(act, act)}' for who, act in product(SOME, ACTIVITIES)
                   if act not in NO_GROUP and not (who.endswith(('boys', 'girls', 'children'))
                                                   and act in NO_CHILD)))
add('people', (f'{a(age)} {sex}' for age, sex in product(
    words('old, young, smiling, bearded, tall'), ['man'])))
add('people', (f'{a(age)} {sex}' for age, sex in product(words('old, young, smiling, tall'), ['woman'])))
add('people', (f'{a(who)} {what}' for who, what in product(ONE, words('''with long hair, with short hair,
with curly hair, with red hair, with grey hair, with blond hair, with glasses, in a red shirt, in a
blue shirt, in a white shirt, in a black shirt, in a green shirt, in a yellow shirt, in an orange
shirt, in a striped shirt, in a red coat, in a blue coat, in a black coat, in jeans, in shorts, in a
costume, in traditional clothes, in a swimsuit, with a painted face, in front of a wall, in front of a
window, with a cat, with a dog, with a horse, with a bird, with a flower, with a balloon, with a flag,
with a camera, with a ball, with a bicycle, with a suitcase, with a book, seen from behind, seen from
the side'''))))
add('people', (f'{a(who)} {what}' for who, what in product(['man', 'woman'], words('''in a suit, in a
uniform, with a beard, with tattoos, with a baby, with a child, with a guitar, with a microphone, with
a glass of wine, with a cup of tea, with a cigarette, behind a counter'''))
    if not (who == 'woman' and what == 'with a beard')))
add('people', (f'{a(who)} {what}' for who, what in product(['woman', 'girl'], words('''in a dress, in a red
dress, in a white dress, in a blue dress, in a black dress, in a pink dress, in a yellow dress, in a
skirt, with a headscarf, with a braid'''))))
add('people', (f'{n} {x}' for n, x in product(words('two, three, four, five, many'),
                                             words('men, women, boys, girls, children, people'))))
add('people', (f'{a(who)} {act}' for who, act in product(words('child, toddler, small boy, small girl'), words('''
on a swing, on a slide, in a sandbox, in a paddling pool, in a fountain, playing with a ball, playing
with toys, playing in the sand, playing in the snow, playing in the rain, running through grass, eating
cake, eating an apple, with a teddy bear, in a pram, on a tricycle, on a scooter, blowing bubbles,
blowing out candles, splashing in a puddle, painting a picture, crying, laughing, sleeping, on a
playground, jumping on a trampoline, climbing a ladder, holding a hand'''))))
add('people', words('''a baby, a sleeping baby, a crying baby, a smiling baby, a baby crawling on the floor, a
baby in a bathtub, a baby in a high chair, a baby in a bed, a newborn in a blanket, a mother with her
baby, a father with his child, a mother with two children, a father carrying a child on his shoulders,
a family at the beach, a family at a table, a family in a park, a family portrait, grandparents with a
grandchild, a couple holding hands, a couple kissing, a couple on a bench, a couple dancing, a bride, a
bride and groom, a wedding, a wedding party, a portrait of a man, a portrait of a woman, a portrait of
a child, a portrait of an old man, a portrait of an old woman, a face seen from close, a self-portrait
in a mirror, hands, two hands holding each other, a hand holding a flower, a hand holding a phone, a
hand holding a cup, feet in the sand, bare feet, an eye seen from close, a smiling face, a group photo,
a class of pupils, a choir, an orchestra, a band on a stage, a singer on a stage, a crowd, a crowd at a
concert, a crowd in a stadium, a crowd in a street, a demonstration with banners, a parade, a carnival
parade, people in masks, people in a queue, people at a market, people in a restaurant, people in a
café, people on an escalator, people in a train, people in a museum, people on a beach, people in a
boat, people around a campfire, people on a mountain top, people having a picnic, people at a party,
people dancing at a party, people in an office, a meeting around a table, a lecture, a teacher at a
blackboard, a classroom with pupils, a doctor, a nurse, a surgeon, a police officer, a firefighter,
firefighters at a fire, a soldier, soldiers marching, a pilot, an astronaut, a chef, a waiter, a baker,
a butcher, a farmer, a farmer on a tractor, a gardener, a fisherman, fishermen with a net, a
construction worker, workers on a roof, a mechanic, a carpenter, a potter, a blacksmith, a tailor, a
hairdresser, a painter at an easel, a street musician, a street artist, a magician, a clown, a juggler,
an acrobat, a ballet dancer, dancers on a stage, dancers in traditional costume, a model, a
photographer, a journalist, a scientist in a laboratory, a student with books, a monk, a nun, a priest,
a rabbi, a person praying, a person meditating, a person in a wheelchair, a homeless person, a beggar,
a tourist with a map, tourists with cameras, a hiker with a backpack, a climber on a rock face, a diver
under water, a surfer with a board, a sailor, a cyclist, a motorcyclist, a horse rider, a cowboy, a
knight in armour, a person in a raincoat, a person with an umbrella, the silhouette of a person, the
silhouette of a couple at sunset, a shadow of a person, a statue of a man, a statue of a woman, a man
with a dog, a girl with a cat, a woman with a horse, a boy with a fish, a man on a roof, a man on a
ladder, a man in a boat, a woman at a window, a woman on a balcony, a woman in a market, twins, a man
with a moustache, a bald man, a man shaving, a woman putting on make-up, a woman doing yoga, a person
lifting weights, people doing yoga, people in a gym, a person looking at a painting'''))

# -- sport ------------------------------------------------------------------------------------------

add('sport', (f'{who} {act}' for who, act in product(
    words('a football player, football players, a basketball player, a tennis player, a baseball player, '
          'a rugby player, an american football player, a volleyball player, a hockey player, a golfer'),
    words('in action, with a ball, in a red jersey, in a blue jersey, in a white jersey, celebrating'))
    if not ('hockey' in who and 'ball' in act)))
add('sport', words('''a football match, a football on the grass, a goalkeeper catching a ball, a football
stadium, a basketball game, a basketball hoop, a basketball player jumping to the hoop, a baseball
game, a baseball player swinging a bat, a pitcher throwing a ball, a tennis match, a tennis court, a
table tennis match, a badminton match, a volleyball game on a beach, a handball game, a rugby match, a
rugby scrum, an ice hockey game, a field hockey game, a cricket match, a golf course, a golfer swinging
a club, a boxing match, two boxers in a ring, a wrestling match, a judo fight, a karate fighter, a
fencing match, a gymnast on a beam, a gymnast on rings, a high jump, a long jump, a pole vault, a
javelin throw, runners in a race, a marathon, a runner crossing the finish line, sprinters at the start,
a hurdles race, a relay race, a bicycle race, cyclists on a mountain road, a mountain biker in the air,
a mountain biker on a trail, a boy on a bmx bike in the air, a motocross rider in the air, a motorcycle
race, a car race, a racing car on a track, a rally car in the mud, go-karts on a track, a horse jumping
a hurdle, a horse race, a polo match, a bullfight, a rodeo, a cowboy on a bull, a swimmer in a pool, a
swimming race, a diver jumping from a board, a water polo match, synchronised swimmers, a sailing race,
a sailing boat leaning in the wind, a windsurfer, a kitesurfer, a surfer on a wave, a surfer in a
tube, a person paddling on a board, a kayak in white water, a raft in rapids, a canoe on a lake, rowers
in a boat, a water skier, a jet ski, a scuba diver, a snorkeler, a skier jumping, a skier on a slope, a
skier in deep snow, skiers on a chairlift, a snowboarder in the air, a snowboarder on a rail, a ski
jumper, a cross-country skier, a figure skater, an ice rink, a sledge on a slope, children on sledges,
a skateboarder in the air, a skateboarder on a rail, a skateboarder in a ramp, a roller skater, a
scooter trick, a parkour jump, a rock climber, an ice climber, a climber on a wall, a paraglider, a hang
glider, a parachutist, a skydiver, a bungee jumper, an archer, a weight lifter, a bowling alley, a pool
table, a chess game, two men playing chess, a game of cards, a dart board, a fisherman with a big fish, a
trophy, a medal, a winner on a podium, cheering fans, a cheerleader, a referee, a stadium at night'''))

# -- nature -----------------------------------------------------------------------------------------

PLACES = words('''beach, lake, river, mountain, mountain range, valley, forest, meadow, field, desert,
island, coast, cliff, bay, harbour, village, city, bridge, castle, church, road, path, park, garden,
waterfall, lighthouse, skyline, street, square, hill, vineyard, farm, pier, canal, tree, house''')
add('scenes', map(a, PLACES))
add('scenes', (f'{a(x)} {when}' for x, when in product(PLACES, words(
    'at sunset, at sunrise, at night, in winter, in autumn, in fog, from above'))))
add('weather', (f'{a(x)} {when}' for x, when in product(words('''beach, lake, mountain, forest, meadow,
field, village, city, bridge, castle, church, road, path, park, street, square, house, garden, tree,
harbour'''), words('under a blue sky, under dark clouds, in the rain, covered with snow, in spring'))))
add('weather', words('''a blue sky, a cloudy sky, a grey sky, dark storm clouds, white clouds, a red sky at
sunset, an orange sunset over the sea, a pink sky, a sunset behind trees, a sunset in the mountains, a
sunrise over the sea, the sun behind clouds, rays of sunlight through clouds, rays of sunlight in a
forest, a rainbow, a rainbow over a field, a double rainbow, a lightning strike, lightning over a city,
a thunderstorm, a tornado, heavy rain, rain on a window, raindrops on a leaf, raindrops on glass, a
puddle, a puddle with reflections, a flooded street, a wet road, people with umbrellas in the rain,
snow falling, a snowstorm, fresh snow, footprints in the snow, footprints in the sand, a snowy road, a
snow-covered roof, snow on branches, icicles, ice on a window, frost on grass, frost on leaves, a frozen
lake, a frozen waterfall, an iceberg, a glacier, fog over a valley, mist over a lake, mist in a forest,
morning dew on grass, wind in the trees, a sand storm, a dry field, cracked earth, the moon, a full
moon, a crescent moon, the moon above a mountain, stars in the night sky, the milky way, northern
lights, a starry sky above mountains, a solar eclipse, a comet'''))
add('nature', words('''a snow-covered mountain, a mountain peak, a mountain lake, mountains reflected in a
lake, a rocky mountain, a volcano, an erupting volcano, flowing lava, a canyon, a gorge, a cave, a rock
arch, a rock in the sea, red rocks, sand dunes, a sandy beach, a rocky beach, a pebble beach, a tropical
beach with palm trees, an empty beach, a crowded beach, a beach with umbrellas, waves on a beach, waves
breaking on rocks, a big wave, a calm sea, a stormy sea, the sea under a blue sky, the horizon over the
sea, turquoise water, a coral reef, a steep coast, white cliffs, a sea cave, a lagoon, an island in the
sea, an island in a lake, a fjord, a river in a forest, a river in a valley, a river between mountains,
a stream with stones, rapids, a small waterfall, a high waterfall, a waterfall in a forest, a pond, a
pond with water lilies, a swamp, a bog, reeds at a lake, a lake with trees, reflections in water, water
drops, bubbles, a pine forest, a birch forest, a bamboo forest, a rain forest, a path through a forest,
a clearing in a forest, a forest in autumn, a forest in winter, a fallen tree, a dead tree, a lone tree
in a field, a lone tree on a hill, a row of trees, an old tree, a tree trunk, tree roots, tree bark,
branches against the sky, a palm tree, palm trees on a beach, a cactus, a desert with cacti, a pine tree,
an oak, a willow by a lake, a birch, a cherry tree in blossom, an apple tree, an olive tree, a maple in
autumn, red autumn leaves, yellow autumn leaves, leaves on the ground, a green leaf, a leaf seen from
close, a fern, moss on stones, ivy on a wall, grass in the wind, tall grass, a green meadow, a meadow
with flowers, a field of sunflowers, a field of lavender, a field of tulips, a field of poppies, a field
of wheat, a field of rape, a corn field, a rice terrace, a tea plantation, a ploughed field, hay bales
in a field, green hills, rolling hills, a plain, a savanna, a steppe, a mountain pass, a mountain
meadow, a hut in the mountains, a mushroom, a red mushroom with white dots, mushrooms on a tree, pine
cones, acorns, chestnuts, berries on a bush, a bird's nest, a stone, a pile of stones, a shell, shells
on the sand, a crystal, a fossil, driftwood on a beach, a fire, a campfire, a forest fire, smoke, sand,
a spring in the rocks, a geyser, a hot spring, salt flats'''))
FLOWERS = words('''rose, tulip, sunflower, daisy, lily, orchid, poppy, dandelion, daffodil, iris, lotus,
water lily, hibiscus, hydrangea, carnation, crocus, magnolia, peony, dahlia, thistle, bluebell,
cornflower, chrysanthemum, marigold, pansy, geranium, snowdrop, cherry blossom''')
add('plants', map(a, FLOWERS))
add('plants', (f'{a(c)} {x}' for c, x in [
    *product(words('red, white, yellow, pink, purple, orange'), words('rose, tulip, flower, dahlia')),
    *product(words('white, pink, purple, yellow'), words('orchid, lily, crocus, iris')),
    *product(words('blue, purple, white'), words('hydrangea, cornflower, pansy')),
    *product(words('white, pink'), words('water lily, lotus, magnolia, peony, cherry blossom'))]))
add('plants', (f'{x} {where}' for x, where in product(
    words('red flowers, white flowers, yellow flowers, pink flowers, purple flowers, blue flowers, wild '
          'flowers, roses, tulips, sunflowers, daisies, daffodils'),
    words('in a garden, in a vase, in a meadow, seen from close, in a bouquet'))))
add('plants', words('''a flower seen from close, a flower with a bee, a flower bud, a flower bed, a bouquet of
flowers, a bunch of roses, a wreath of flowers, a flower shop, a flower market, a flower pot, a potted
plant, plants on a windowsill, a bonsai tree, a greenhouse, a vegetable garden, a hedge, a lawn, dried
flowers, petals on the ground, a dandelion clock, a thistle in bloom, a four-leaf clover, a vine with
grapes, wheat ears seen from close, seedlings in pots, a succulent, an aloe plant'''))

# -- places -----------------------------------------------------------------------------------------

add('buildings', (f'{a(x)} {what}' for x, what in product(
    words('house, church, tower, castle, hotel, wooden house, brick building, old building, palace, temple'),
    words('on a hill, by the water, with a red roof, with many windows, behind trees, lit at night'))))
add('buildings', map(a, words('''house, small house, white house, red house, yellow house, blue house, stone
house, wooden house, farmhouse, thatched cottage, log cabin, hut, barn, red barn, apartment building,
skyscraper, glass skyscraper, office building, factory, power station, cooling tower, chimney, church,
white church, wooden church, cathedral, gothic cathedral, church tower, chapel, monastery, mosque,
minaret, synagogue, buddhist temple, hindu temple, pagoda, shrine, japanese gate, temple ruin, greek
temple, roman amphitheatre, pyramid, castle, castle ruin, fortress, city wall, city gate, palace, town
hall, parliament, museum, library, university, school, hospital, theatre, opera house, train station,
airport, bus stop, subway station, petrol station, parking garage, shopping centre, supermarket, shop,
bookshop, bakery, café, restaurant, bar, market hall, street market, windmill, water mill, wind turbine,
lighthouse, red and white lighthouse, water tower, television tower, clock tower, bell tower, dam,
bridge, stone bridge, wooden bridge, suspension bridge, steel bridge, railway bridge, footbridge, tunnel,
staircase, spiral staircase, stone arch, column, balcony, window, window with shutters, door, wooden
door, blue door, red door, iron gate, fence, wooden fence, stone wall, brick wall, wall with graffiti,
roof, dome, golden dome, façade, ruined building, abandoned house, building site, crane, scaffold,
fountain, statue, statue of a horse, statue of a lion, monument, obelisk, cemetery, gravestone, cross,
swimming pool, playground, stadium, circus tent, ferris wheel, roller coaster, merry-go-round, zoo,
greenhouse, oil platform, radio telescope, observatory, solar panel field''')))
add('places', words('''a city skyline, a city skyline at night, a city from above, rooftops of a city, a
narrow street, a cobbled street, a busy street, an empty street, a street with cars, a street with
trees, a street with shops, a street in an old town, a street at night with neon signs, a street lamp, a
pedestrian crossing, a traffic light, a traffic jam, a road sign, a stop sign, a street sign, a shop
window, a shop sign, a neon sign, an advertising board, a poster on a wall, a mural, graffiti, a market
with fruit, a market with vegetables, a fish market, a flea market, a christmas market, a square with a
fountain, a café with tables outside, a park bench, a bench under a tree, a path in a park, a park with
people, a japanese garden, a zen garden, a rock garden, a garden with flowers, a garden with a pond, a
back yard, a terrace with a table, a swing in a garden, a country road, a road through a forest, a road
through a desert, a winding mountain road, a long straight road, a highway, a motorway at night, light
trails of cars, a railway track, a railway crossing, a railway platform, a train station hall, an airport
terminal, an airport runway, a harbour with boats, a harbour with sailing boats, a container port, a
marina, a jetty, a wooden pier, a pier at sunset, a canal with boats, a canal with houses, a gondola in
a canal, a river in a city, a bridge over a river, a bridge at night, a village in the mountains, a
village by the sea, a village in the snow, white houses with blue roofs, colourful houses, terraced
houses, a suburb from above, a construction site with cranes, an industrial area, a rubbish dump, a
camping site, a tent in a meadow, a tent in the mountains, a tent at night, fireworks, fireworks over a
city, fireworks over water, a lit christmas tree, christmas lights in a street, lanterns, paper lanterns
at night, candles in a church, stained glass windows, a church interior, an altar, an organ, a vaulted
ceiling, a mosque interior, a prison cell, a castle hall'''))
add('rooms', map(a, words('''living room, bedroom, kitchen, bathroom, dining room, hallway, attic, cellar,
garage, workshop, office, desk, classroom, lecture hall, library, laboratory, hospital room, waiting
room, hotel room, lobby, lift, gym, sports hall, swimming pool hall, cinema, theatre hall, concert hall,
stage, museum hall, gallery with paintings, shop, supermarket aisle, restaurant, café, bar, bakery,
warehouse, factory hall, train compartment, cockpit, greenhouse, barn, church, conference room, server
room, nursery, laundry room''')))
add('rooms', (f'{a(x)} {what}' for x, what in product(
    words('living room, bedroom, kitchen, bathroom, dining room, office'),
    words('with a window, with white walls, with wooden furniture, with plants, with a lamp, in a '
          'mess'))))
add('rooms', words('''a bed with white sheets, an unmade bed, a bed with pillows, a sofa in a living room, a
sofa with cushions, an armchair by a window, a table with chairs, a table laid for dinner, a set table, a
kitchen with a stove, kitchen utensils, a sink with dishes, a full fridge, a shelf with books, a wall
of books, a desk with a computer, a desk with papers, a desk with a lamp, a fireplace, a fireplace with
a fire, a bathtub, a shower, a toilet, a washbasin, a mirror on a wall, pictures on a wall, a carpet,
curtains at a window, a window with a view, light through a window, a staircase in a house, a cluttered
room, an empty room, a room with a piano, a christmas tree in a room, presents under a christmas tree, a
wardrobe with clothes, clothes on a line, shoes in a row, toys on the floor'''))

# -- things -----------------------------------------------------------------------------------------

VEHICLES = words('''car, sports car, old car, racing car, convertible, taxi, police car, ambulance, fire
engine, bus, double-decker bus, school bus, tram, truck, lorry, van, camper van, caravan, tractor, combine
harvester, digger, bulldozer, crane truck, motorcycle, scooter, moped, bicycle, mountain bike, tandem,
tricycle, train, steam train, high-speed train, locomotive, freight train, subway train, cable car,
aeroplane, passenger plane, propeller plane, fighter jet, glider, seaplane, biplane, helicopter, hot-air
balloon, airship, drone, rocket, space shuttle, satellite, boat, rowing boat, sailing boat, fishing boat,
motorboat, ferry, cruise ship, container ship, tall ship, warship, submarine, canoe, kayak, raft, gondola,
yacht, tugboat, houseboat, carriage, cart, sledge, snowmobile, rickshaw, wheelchair, pram, forklift, quad
bike, tank''')
add('vehicles', map(a, VEHICLES))
add('vehicles', (f'{a(c)} {x}' for c, x in product(
    words('red, blue, white, black, yellow, green, silver'),
    words('car, sports car, old car, bus, truck, van, motorcycle, bicycle, scooter'))))
add('vehicles', (f'{a(c)} {x}' for c, x in product(
    words('red, blue, white, yellow, green'), words('train, tram, boat, sailing boat, fishing boat, '
                                                    'tractor, hot-air balloon, helicopter, small plane'))))
add('vehicles', (f'{a(x)} {where}' for x, where in product(
    words('car, bus, truck, van, motorcycle, bicycle, taxi'),
    words('in a street, on a country road, in front of a house, in the snow, in the rain, at night, in a '
          'parking lot'))))
add('vehicles', (f'{a(x)} {where}' for x, where in product(
    words('boat, rowing boat, sailing boat, fishing boat, motorboat, canoe'),
    words('on a lake, on the sea, on a river, on a beach, at sunset, in a harbour'))))
add('vehicles', (f'{a(x)} {where}' for x, where in product(
    words('train, steam train, freight train, locomotive'),
    words('on a bridge, in a station, in the mountains, in the snow, crossing a field'))))
add('vehicles', (f'{a(x)} {where}' for x, where in product(
    words('aeroplane, helicopter, passenger plane, fighter jet'),
    words('in the sky, on a runway, above the clouds, above mountains, landing'))))
add('vehicles', words('''the front of a car, the wheel of a car, the inside of a car, a car's headlight, a
steering wheel, a dashboard, a car engine, a rusty car, a broken car, a crashed car, a burning car, cars
in a row, a row of parked bicycles, a bicycle against a wall, a bicycle with a basket, a bicycle by a
canal, a row of boats, two boats, a boat with red sails, a ship at sea, a ship in a harbour, a sunken
ship, a plane's wing seen from a window, planes in formation, balloons in the sky, a hot-air balloon
above fields, a rocket launch, a train seen from the front, a train passing by, tracks in the snow, a
tram in a city, a horse-drawn carriage, a tractor in a field'''))

THINGS = words('''chair, table, sofa, armchair, bed, lamp, candle, mirror, clock, alarm clock, wrist watch,
vase, cup, mug, glass, wine glass, bottle, wine bottle, water bottle, jug, teapot, coffee pot, kettle, pan,
pot, knife, fork, spoon, plate, bowl, basket, bucket, broom, iron, sewing machine, washing machine, fridge,
oven, toaster, microwave, television, radio, telephone, old telephone, mobile phone, laptop, computer,
keyboard, computer mouse, printer, camera, old camera, film camera, tripod, camera lens, headphones,
loudspeaker, microphone, record player, vinyl record, guitar, acoustic guitar, electric guitar, violin,
cello, piano, grand piano, trumpet, saxophone, flute, drum, drum kit, harp, accordion, book, open book,
notebook, newspaper, letter, envelope, postage stamp, map, globe, compass, magnifying glass, pencil, pen,
fountain pen, paintbrush, palette, easel, painting, picture frame, sculpture, mask, toy, teddy bear, doll,
toy car, toy train, puzzle, dice, playing card, chessboard, kite, balloon, ball, football, basketball,
tennis racket, baseball, baseball glove, skateboard, surfboard, snowboard, helmet, backpack, suitcase,
handbag, purse, wallet, key, lock, padlock, coin, banknote, ring, necklace, earring, crown, hat, straw hat,
cap, scarf, glove, shoe, boot, sneaker, high heel, sock, shirt, t-shirt, jacket, coat, dress, tie, belt,
umbrella, sunglasses, pair of glasses, tent, sleeping bag, torch, lantern, rope, hammer, screwdriver, saw,
drill, wrench, nail, screw, ladder, axe, shovel, rake, wheelbarrow, watering can, flowerpot, light bulb,
plug, battery, cable, circuit board, robot, microscope, telescope, binoculars, stethoscope, syringe, pill,
bandage, thermometer, scale, calculator, hourglass, sundial, bell, flag, road sign, traffic light,
mailbox, bench, dustbin, fire hydrant, parking meter, street lamp, gravestone, anchor, fishing rod, net,
lighter, cigarette, pipe, match, ashtray, gun, sword, shield, cannon, arrow, bow, drum, whistle, medal,
trophy, gift, box, cardboard box, barrel, crate, bag, paper bag, plastic bag, toothbrush, comb, soap, towel,
perfume bottle, lipstick, razor, feather, skull, bone, egg, nest, snow globe, christmas bauble, pumpkin
lantern, scarecrow, snowman, sandcastle, origami crane, swing, hammock, deck chair, parasol, rocking
chair, stool, cupboard, shelf, drawer, chest, carpet, curtain, pillow, blanket, cradle''')
PAIRS = {'headphones', 'binoculars', 'sunglasses'}
add('objects', (x if x in PAIRS or x == 'soap' else a(x) for x in THINGS))
COLOURED = words('''chair, sofa, cup, mug, vase, bottle, teapot, plate, bowl, bucket, telephone, balloon,
ball, kite, backpack, suitcase, handbag, hat, scarf, shoe, boot, shirt, jacket, coat, dress, umbrella,
tent, door, wall, fence, bench, mailbox, box, toy car, lamp, candle, armchair, book, flag, surfboard''')
add('colours', (f'{a(c)} {x}' for c, x in product(
    words('red, blue, green, yellow, white, black, orange, pink'), COLOURED)))
add('colours', words('''a red background, a blue background, a green background, a yellow background, a white
background, a black background, a pink background, bright colours, pastel colours, colourful stripes,
black and white stripes, blue and yellow, red and white, green and brown, a colourful pattern, a gold
surface, a silver surface, a colourful wall, colour pencils, pots of paint, a colour chart, dyed wool'''))
add('materials', (f'{a(m)} {x}' for m, x in [
    *product(['wooden'], words('chair, table, bench, box, boat, bowl, spoon, door, fence, bridge, floor, '
                               'house, toy, shelf, bed, ladder, barrel, sculpture, mask, wall')),
    *product(['metal', 'rusty'], words('chain, gate, door, bucket, sign, pipe, box, fence, wheel, hook')),
    *product(['glass'], words('vase, bowl, bottle, jar, door, table, building, ball')),
    *product(['stone', 'marble'], words('statue, wall, floor, column, fountain, bust, staircase')),
    *product(['leather'], words('bag, jacket, sofa, shoe, belt, armchair, suitcase')),
    *product(['plastic'], words('bottle, chair, bag, toy, bucket, box, cup')),
    *product(['paper'], words('bag, boat, plane, lantern, flower, cup')),
    *product(['clay', 'porcelain'], words('pot, vase, cup, figure, bowl, plate')),
    *product(['golden', 'bronze', 'silver'], words('statue, ring, coin, cup, bell, bowl'))]))
add('materials', words('''wood grain, planks of wood, a pile of logs, rust on metal, scratched metal, shiny
metal, broken glass, frosted glass, a brick surface, a concrete wall, cracked paint, peeling paint,
plaster on a wall, roof tiles, mosaic tiles, white marble, polished stone, gravel, wet sand, dry soil,
woven fabric, knitted wool, lace, silk, denim, fur, leather, a straw roof, a bamboo mat, crumpled paper,
an old parchment, a wire mesh, a chain, a spider's thread, ice, foam, oil on water'''))
COUNTED = words('''dog, cat, horse, cow, sheep, goat, bird, duck, swan, gull, pigeon, elephant, giraffe,
zebra, lion, deer, monkey, penguin, butterfly, fish, flower, rose, tulip, tree, palm tree, leaf, mushroom,
apple, orange, banana, lemon, egg, cup, glass, bottle, plate, candle, balloon, boat, sailing boat, car, bus,
bicycle, motorcycle, train, aeroplane, house, tower, window, door, chair, bench, umbrella, book, camera,
guitar, shoe, hat, ball, kite, flag, statue, tent, lamp, clock, key, coin, pencil, teddy bear, puppy,
kitten, camel, kangaroo, tomato, cake, pizza, burger, sandwich, doughnut''')
add('numbers', (f'{n} {plural(x)}' for n, x in product(words('two, three, many'), COUNTED)))
add('numbers', (f'four {plural(x)}' for x in COUNTED[:40]))
add('numbers', words('''a pair of shoes, a pair of gloves, a pair of skis, a pair of swans, a dozen eggs, a pile
of books, a stack of books, a stack of plates, a stack of coins, a heap of stones, a row of houses, a row
of bottles, a row of chairs, a row of windows, a row of trees, a bunch of keys, a bunch of balloons, a
bunch of bananas, a bunch of grapes, a basket of apples, a basket of eggs, a bowl of fruit, a box of
chocolates, a pack of wolves, a pride of lions, a swarm of bees, a shoal of fish, a line of people, a
crowd of people, a couple, a trio of musicians, one person alone, one tree alone, a single flower, a
number on a door, a number on a shirt, a number plate'''))

# -- food -------------------------------------------------------------------------------------------

FRUIT = words('''apple, red apple, green apple, pear, orange, lemon, lime, banana, peach, plum, cherry,
strawberry, raspberry, blueberry, blackberry, pineapple, mango, melon, watermelon, kiwi, fig, pomegranate,
coconut, avocado, grapefruit, tomato, cucumber, carrot, potato, onion, garlic bulb, red pepper, chilli,
aubergine, courgette, pumpkin, cabbage, cauliflower, broccoli, lettuce, mushroom, corn cob, radish,
artichoke, leek, beetroot''')
add('food', map(a, FRUIT))
add('food', (f'{x} on a {where}' for x, where in product((plural(x) for x in words('''apple, pear, orange, lemon,
banana, peach, plum, cherry, strawberry, raspberry, tomato, carrot, potato, mushroom''')),
                                                        words('table, plate, tree, market stall'))
    if not (where == 'tree' and x in ('strawberries', 'raspberries', 'tomatoes', 'carrots', 'potatoes'))))
DISHES = words('''pasta, spaghetti, noodles, rice, soup, salad, curry, stew, sushi, dumplings, pancakes, fried
eggs, meat, fish, chicken, vegetables, chips, cheese, fruit, oysters, shrimp, sausages, beans, porridge,
cereal, ice cream, ramen, risotto, tacos, meatballs''')
add('food', (f'a plate of {x}' for x in DISHES if x not in ('soup', 'porridge', 'cereal', 'ramen')))
add('food', (f'a bowl of {x}' for x in words('''soup, noodles, rice, salad, porridge, cereal, ice cream, fruit,
berries, cherries, ramen, curry, olives, nuts, popcorn, crisps, yoghurt, tomatoes, eggs, sweets''')))
add('food', (f'a cup of {x}' for x in words('coffee, tea, hot chocolate, espresso, cappuccino, green tea')))
add('food', (f'a glass of {x}' for x in words('''water, milk, beer, red wine, white wine, orange juice, lemonade,
whisky, champagne, iced tea, cola''')))
add('food', (f'a slice of {x}' for x in words('cake, pizza, bread, watermelon, lemon, cheese, pie, toast, ham')))
add('food', words('''a pizza, a pizza with tomatoes and basil, a burger, a burger with chips, a hot dog, a
sandwich, a sandwich on a plate, a toast with avocado, a kebab, a taco, a burrito, a croissant, a
pretzel, a bagel, a loaf of bread, a baguette, a bread roll, a cake, a birthday cake, a birthday cake
with candles, a chocolate cake, a cheesecake, a cream cake, a wedding cake, a fruit cake, a cupcake,
cupcakes with icing, a muffin, a doughnut, doughnuts in a box, a pie, an apple pie, a waffle, waffles
with cream, pancakes with syrup, pancakes with berries, biscuits, chocolate biscuits, macarons, a bar of
chocolate, chocolates, sweets, a lollipop, candyfloss, an ice cream cone, a scoop of ice cream, ice cream
with berries, a pudding, a dessert on a plate, a salad with tomatoes, a green salad, a fruit salad, a
steak, a steak with vegetables, a roast chicken, grilled meat, a barbecue, sausages on a grill, fish on
ice, grilled fish, a fish dish, sushi on a plate, raw fish, seafood, a lobster on a plate, mussels, oysters
on ice, fried eggs, eggs and bacon, a boiled egg, eggs in a carton, a cheese board, cheese in a shop, ham,
bacon, spices in bowls, spices at a market, herbs, olives, olive oil, honey in a jar, jam in a jar, a
jar, pickles in jars, nuts, almonds, coffee beans, tea leaves, flour and eggs, dough on a table, hands
kneading dough, a chef cooking, food in a pan, food on a grill, food on a wooden board, food on a tray, a
lunch box, a picnic basket, a picnic on the grass, a breakfast, a breakfast in bed, a dinner table, a
buffet, a restaurant meal, street food, a food stall, a food truck, a fruit stall, a vegetable stall, a
bakery with bread, coffee and cake, a cappuccino with a pattern, a coffee with latte art, a coffee
machine, a teapot and cups, a tea ceremony, beer glasses, a cocktail, a cocktail with a lemon, a smoothie,
a bottle of wine, wine and cheese, wine barrels, grapes, red grapes, green grapes, a fruit basket, fruit
in a bowl, sliced fruit, sliced oranges, a half lemon, berries, ripe tomatoes, vegetables on a table,
chopped vegetables, fresh vegetables, garlic and onions, peppers, pumpkins, a carved pumpkin, popcorn,
chips with ketchup, noodles with chopsticks, rice with vegetables, a bento box, dim sum, a hot pot, a
spring roll, tofu, kimchi, paella, a gingerbread house, easter eggs'''))

# -- styles and screens -----------------------------------------------------------------------------

SUBJECTS = words('''man, woman, child, dog, cat, horse, bird, flower, tree, house, church, street, city,
bridge, mountain, forest, beach, boat, car, train''')
add('styles', (f'a black and white photo of {a(x)}' for x in SUBJECTS))
add('styles', (f'an old photo of {a(x)}' for x in SUBJECTS))
add('styles', (f'a drawing of {a(x)}' for x in SUBJECTS))
add('styles', (f'a painting of {a(x)}' for x in SUBJECTS))
add('styles', (f'a blurred photo of {a(x)}' for x in SUBJECTS))
add('styles', (f'the silhouette of {a(x)}' for x in SUBJECTS[:10] + ['mountain', 'boat']))
add('styles', (f'{a(x)} seen from above' for x in SUBJECTS))
add('styles', words('''a black and white photo, a sepia photo, an old photo, a colour photo, a blurred photo, an
overexposed photo, a dark photo, a bright photo, a close-up, a macro photo, a wide landscape, a panorama,
an aerial photo, a satellite photo, a photo through a window, a long exposure, light trails, motion blur,
a photo with a blurred background, a reflection in a mirror, a reflection in a window, a reflection in
water, a silhouette, a silhouette at sunset, a shadow on a wall, a portrait, a portrait in black and
white, a studio photo, a selfie, a collage of photos, a double exposure, a fisheye photo, a thermal image,
an x-ray, a microscope image, an oil painting, a watercolour, a pencil drawing, a pen drawing, a charcoal
drawing, a child's drawing, a sketch, a cartoon, a comic, a caricature, a manga drawing, a poster, a
logo, an icon, an emoji, a sign, a sticker, a stamp, a print, an engraving, a woodcut, a mosaic, a
stained glass window, a fresco, a tapestry, a sculpture, an abstract painting, an abstract pattern, a
geometric pattern, a floral pattern, stripes, dots, a checked pattern, a texture, a gradient, a computer
graphic, a 3d rendering, a pixel art picture, a video game screen, a screenshot of a web page, a
screenshot of a chat, a screenshot of a program, a screenshot of code, a computer screen, a phone screen,
a television picture, a diagram, a flow chart, a bar chart, a line chart, a pie chart, a graph, a table of
numbers, a floor plan, a blueprint, a technical drawing, a map, a city map, a subway map, a weather map, a
page of text, a handwritten letter, a handwritten note, a book page, a newspaper page, a magazine cover, a
book cover, a film poster, a menu, a receipt, a ticket, an invoice, a form, an identity card, a passport,
a credit card, a business card, a calendar, a timetable, a music score, a page of an old manuscript, a
bar code, a whiteboard with writing, a blackboard with writing, a slide of a presentation, white text on a
black background, black text on a white background, an empty page, a black picture, a white picture'''))


def main():
    seen, lines = set(), []
    for group, phrases in BANK.items():
        for phrase in phrases:
            if phrase not in seen:
                seen.add(phrase)
                lines.append(f'{group}\t{phrase}\n')
    (HERE / 'phrases.tsv').write_text(''.join(lines), encoding='utf-8')
    print(f'{len(lines)} phrases in {len(BANK)} groups')


if __name__ == '__main__':
    main()
